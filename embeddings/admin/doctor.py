"""The catalogue doctor in the admin: what looks wrong, with pictures, and one click to accept or to dismiss it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from catalog.corrections import CorrectionNotPossible
from catalog.models import Product, ProductImage
from catalog.selectors import images_of
from embeddings import diagnoses
from embeddings.admin.display import ReviewAdmin
from embeddings.models import Diagnosis
from embeddings.submissions import DOCTOR, submit_examination
from jobs.admin import notify_submitted
from jobs.errors import JobInProgress
from jobs.facts import worded
from jobs.models import Job

FINDINGS_PER_PAGE = 20
RECENT = 10

Kind = Diagnosis.Kind
Decision = Diagnosis.Decision

_DECISIONS: Mapping[str, Callable[[int], Diagnosis]] = {
    "accept": diagnoses.accept,
    "dismiss": diagnoses.dismiss,
    "undo": diagnoses.take_back,
}


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding as the page shows it.

    Attributes:
        row: the finding.
        now: what the product says.
        suggestion: what the doctor says.
        accept: what accepting it does, for the button.
        photo: what it is about; None if the product has none any more.
        evidence: photos that show why.
    """

    row: Diagnosis
    now: str
    suggestion: str
    accept: str
    photo: ProductImage | None
    evidence: Sequence[ProductImage]

    @property
    def percent(self) -> int:
        """The confidence."""
        return round(100 * self.row.confidence)


@admin.register(Diagnosis)
class DoctorAdmin(ReviewAdmin):
    """What may be wrong with products and their photos."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="embeddings_diagnosis_changelist"),
            path("examine/", view(self.examine), name="embeddings_diagnosis_examine"),
            path("<int:diagnosis_id>/decide/", view(self.decide), name="embeddings_diagnosis_decide"),
        ]

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """A page of open findings of a kind, the surest first, and what was decided last."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        still = Diagnosis.objects.filter(product__active=True).select_related("product__category")
        open_rows = still.filter(decision=Decision.OPEN)
        counts = Counter(open_rows.order_by().values_list("kind", flat=True))
        kind = request.GET.get("kind", "")
        chosen = kind if kind in Kind.values else next((each for each in Kind.values if counts[each]), Kind.values[0])
        rows = open_rows.filter(kind=chosen).order_by("-confidence", "pk")
        page = Paginator(rows, FINDINGS_PER_PAGE).get_page(request.GET.get("page"))
        decided = still.exclude(decision=Decision.OPEN).order_by("-decided_at")[:RECENT]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Catalogue doctor"),
            "kinds": [(each, counts[each.value]) for each in Kind],
            "kind": chosen,
            "findings": finding_views(list(page.object_list)),
            "page": page,
            "decided": finding_views(list(decided)),
            "examined": Job.objects.filter(kind=DOCTOR, state=Job.State.SUCCEEDED).first(),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/embeddings/doctor.html", context)

    @method_decorator(require_POST)
    def examine(self, request: HttpRequest) -> HttpResponse:
        """Submit an examination of the catalogue as a job."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            job = submit_examination()
        except JobInProgress as error:
            messages.warning(request, worded(str(error)))
        else:
            self.log_addition(request, job, [{"added": {}}])
            notify_submitted(request, job, _("The examination of the catalogue has started."))
        return redirect("admin:embeddings_diagnosis_changelist")

    @method_decorator(require_POST)
    def decide(self, request: HttpRequest, diagnosis_id: int) -> HttpResponse:
        """Accept or dismiss a finding, or take that back; it is noted in the history of the product."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        decision = request.POST.get("decision", "")
        if decision not in _DECISIONS:
            raise Http404
        kind = request.POST.get("kind", "")
        try:
            row = _DECISIONS[decision](diagnosis_id)
        except CorrectionNotPossible as error:
            messages.error(request, str(error))
        else:
            kind = row.kind
            product = Product.objects.get(pk=row.product_id)
            about = f"{row.get_kind_display()}: {row.suggestion}" if row.suggestion else row.get_kind_display()
            done = {
                "accept": _("Accepted: %s."), "dismiss": _("Dismissed: %s."), "undo": _("Taken back: %s.")
            }[decision] % about  # fmt: skip
            self.log_change(request, product, done)
            messages.success(request, f"{product.title}. {done}")
        page = request.POST.get("page", "")
        query = f"?kind={kind}" + (f"&page={page}" if page.isdecimal() else "")
        return redirect(reverse("admin:embeddings_diagnosis_changelist") + (query if kind in Kind.values else ""))


def finding_views(rows: Sequence[Diagnosis]) -> list[FindingView]:
    """Findings as the page shows them, in two queries.

    Args:
        rows: with their products and categories.

    Returns:
        One for each row, in the same order.
    """
    ids = {row.photo_id for row in rows} | {image_id for row in rows for image_id in row.evidence}
    images = {image.pk: image for image in ProductImage.objects.filter(pk__in=ids).select_related("product")}
    first: dict[int, ProductImage] = {}
    for image in images_of({row.product_id for row in rows}):
        first.setdefault(image.product_id, image)
    return [
        FindingView(
            row,
            *_texts(row, images),
            photo=images.get(row.photo_id) if row.photo_id else first.get(row.product_id),
            evidence=[
                images[each] for each in row.evidence if each in images and images[each].product_id != row.product_id
            ],
        )
        for row in rows
    ]


def _texts(row: Diagnosis, images: Mapping[int, ProductImage]) -> tuple[str, str, str]:
    """What the product says, what the doctor says, and what accepting does."""
    match row.kind:
        case Kind.CATEGORY:
            now = row.product.category.path if row.product.category else ""
            return now, row.suggestion, _("Move to %s") % row.suggestion
        case Kind.COLOUR_MISSING | Kind.COLOUR_WRONG:
            name, _equals, value = row.suggestion.rpartition("=")
            return str(row.product.attributes.get(name, "")), value, _("Set %(name)s to %(value)s") % {
                "name": name, "value": value
            }  # fmt: skip
        case Kind.FOREIGN_PHOTO:
            other = next((images[each].product.title for each in row.evidence if each in images), "")
            return "", other, _("Remove this photo")
        case _other:
            return "", "", _("Ignore this photo")
