"""Which text of a product is indexed by which encoder version, and how often its words occur."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from embeddings.models.versions import EncoderVersion


class IndexedTextQuerySet(models.QuerySet["IndexedText"]):
    """Rows of the texts' outbox. Only the `mark_*` methods write `state`, `revision` and `changed_at`, as with photos."""

    def mark_pending(self) -> int:
        """Have the texts indexed: they are new, or the product changed. Returns how many rows were written."""
        return self._mark(IndexedText.State.PENDING)

    def mark_removed(self) -> int:
        """Have the points deleted, and the rows after them. Returns how many rows were written."""
        return self._mark(IndexedText.State.REMOVED)

    def mark_indexed(self, rows: Sequence[IndexedText]) -> None:
        """The points of these rows are in the index, with their `terms` and `vector`.

        rows: locked, and of the revision that was written.

        `changed_at` stays: it says when there was work, which a build of the next generation looks for.
        """
        for row in rows:
            row.state = IndexedText.State.INDEXED
        # All of them exist. bulk_update would write a CASE of each row for each column, and take ten times as long.
        self.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=["state", "terms", "vector", "vector_of"],
            batch_size=200,
        )

    def _mark(self, state: str) -> int:
        return self.update(state=state, revision=models.F("revision") + 1, changed_at=Now())


class IndexedText(models.Model):
    """The state of one product's text with one encoder version, in whose text index it is: a row of the texts' outbox.

    Rows outlive their product as `removed` until the point is deleted.
    """

    class State(models.TextChoices):
        """What is still to be done for the product's point in the text index."""

        PENDING = "pending", _("to index")
        INDEXED = "indexed", _("indexed")
        REMOVED = "removed", _("to remove from the index")

    version = models.ForeignKey(
        EncoderVersion, verbose_name=_("encoder version"), on_delete=models.CASCADE, related_name="texts"
    )
    product_id = models.PositiveBigIntegerField(_("product"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.PENDING)
    terms = models.BinaryField(
        _("terms"),
        default=bytes,
        editable=False,
        help_text=_("What the document frequencies count of it: little-endian uint32."),
    )
    vector = models.BinaryField(
        _("vector"), null=True, editable=False, help_text=_("Of the text encoder: little-endian float16.")
    )
    vector_of = models.CharField(
        _("vector of"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("SHA-256 of the text encoder and the text that the vector is of."),
    )
    revision = models.PositiveIntegerField(_("revision"), default=1)
    changed_at = models.DateTimeField(_("changed"), db_default=Now())

    objects = IndexedTextQuerySet.as_manager()

    class Meta:
        verbose_name = _("indexed text")
        verbose_name_plural = _("indexed texts")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=("version", "product_id"), name="text_once_per_version")]
        indexes = [
            models.Index(fields=("version", "state", "product_id"), name="text_outbox"),
            models.Index(fields=("product_id",), name="text_by_product"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.state}"


class DocumentFrequency(models.Model):
    """How many products have a term in their text; that of the term 0, which all have, is how many products there are."""

    version = models.ForeignKey(EncoderVersion, on_delete=models.CASCADE, related_name="+")
    term = models.PositiveBigIntegerField(_("term"))
    documents = models.IntegerField(_("products"))

    class Meta:
        verbose_name = _("document frequency")
        verbose_name_plural = _("document frequencies")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=("version", "term"), name="frequency_once_per_term")]

    def __str__(self) -> str:
        return f"{self.term}: {self.documents}"
