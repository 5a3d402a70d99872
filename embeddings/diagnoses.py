"""Decisions about what the catalogue doctor has found: accept, dismiss, and take back."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog import corrections
from catalog.corrections import CorrectionNotPossible
from embeddings.models import Diagnosis

Kind = Diagnosis.Kind
Decision = Diagnosis.Decision


@transaction.atomic
def accept(diagnosis_id: int) -> Diagnosis:
    """Correct the product as the finding suggests.

    Args:
        diagnosis_id: an open finding.

    Returns:
        The finding, accepted.

    Raises:
        CorrectionNotPossible: it was decided already, or the product is no longer as it was.
    """
    diagnosis = _locked(diagnosis_id, Decision.OPEN)
    match diagnosis.kind:
        case Kind.CATEGORY:
            diagnosis.before = corrections.move_to_category(diagnosis.product_id, diagnosis.suggestion)
        case Kind.COLOUR_MISSING | Kind.COLOUR_WRONG:
            name, _equals, value = diagnosis.suggestion.rpartition("=")
            diagnosis.before = corrections.set_attribute(diagnosis.product_id, name, value)
        case Kind.NO_PRODUCT:
            diagnosis.before = corrections.ignore_photo(diagnosis.photo_id)
        case _other:
            diagnosis.before = corrections.remove_photo(diagnosis.photo_id)
    return _decide(diagnosis, Decision.ACCEPTED)


@transaction.atomic
def dismiss(diagnosis_id: int) -> Diagnosis:
    """Say that nothing is wrong: the same is not proposed again.

    Args:
        diagnosis_id: an open finding.

    Returns:
        The finding, dismissed.

    Raises:
        CorrectionNotPossible: it was decided already.
    """
    return _decide(_locked(diagnosis_id, Decision.OPEN), Decision.DISMISSED)


@transaction.atomic
def take_back(diagnosis_id: int) -> Diagnosis:
    """Open a decided finding again, and undo what accepting it has changed.

    Args:
        diagnosis_id: a decided finding.

    Returns:
        The finding, open.

    Raises:
        CorrectionNotPossible: it is open, or what was corrected was changed since.
    """
    diagnosis = _locked(diagnosis_id, Decision.ACCEPTED, Decision.DISMISSED)
    if diagnosis.decision == Decision.ACCEPTED and diagnosis.before is not None:
        image = corrections.undo(diagnosis.product_id, diagnosis.before)
        if image is not None:
            diagnosis.photo_id = image.pk
    diagnosis.before = None
    return _decide(diagnosis, Decision.OPEN)


def _locked(diagnosis_id: int, *decisions: str) -> Diagnosis:
    diagnosis = Diagnosis.objects.select_for_update().filter(pk=diagnosis_id).first()
    if diagnosis is None or diagnosis.decision not in decisions:
        raise CorrectionNotPossible(_("It was decided meanwhile."))
    return diagnosis


def _decide(diagnosis: Diagnosis, decision: str) -> Diagnosis:
    diagnosis.decision = decision
    diagnosis.decided_at = None if decision == Decision.OPEN else timezone.now()
    diagnosis.save()
    return diagnosis
