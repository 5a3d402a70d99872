"""The embedding service in the back office: where each photo stands, why one failed, and how to have it done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from catalog.admin import ProductAdmin, ProductImageInline, RowsChangeList, SelectFilter, ids_of, in_batches, thumbnail
from catalog.models import Product, ProductImage
from embeddings import jobs, outbox, versions
from embeddings.errors import EmbeddingsError, JobEnded
from embeddings.evaluation.metrics import METRICS
from embeddings.evaluation.report import PAGE
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, Job
from embeddings.receivers import call_for_work
from embeddings.selectors import active_versions, embeddings_of
from embeddings.submissions import submit_activation
from embeddings.versions import REPORT

State = ImageEmbedding.State
# OUTDATED is in the index and found; only its details are on their way.
WAITING = (State.PENDING, State.EMBEDDED, State.OUTDATED, State.REMOVED)
_VARIANTS = {State.INDEXED: "success", State.FAILED: "danger", State.REMOVED: "default"}


@dataclass(frozen=True, slots=True)
class Badge:
    """A coloured word. `variant`: success, info, warning, danger or default. `reason`: shown in full below."""

    text: str
    variant: str
    reason: str = ""


def badges(shown: Iterable[Badge]) -> SafeString:
    """These badges, side by side."""
    return render_to_string("admin/embeddings/states.html", {"badges": list(shown)})


def state_badge(row: ImageEmbedding, *, named: bool = True) -> Badge:
    """A row's state, with the reason of a failure. named: with the encoder version's name."""
    label = State(row.state).label
    text = f"{row.version.label}: {label}" if named else str(label)
    return Badge(text, _VARIANTS.get(State(row.state), "info"), row.error)


def rows_of(product: Product) -> list[ImageEmbedding]:
    """Where the product's photos stand; read once for the product object."""
    known = vars(product)
    if "embedding_rows" not in known:
        read_rows([product])
    rows: list[ImageEmbedding] = known["embedding_rows"]
    return rows


def read_rows(products: Sequence[Product]) -> None:
    """Read where the photos of all these products stand, in one query. Photos that are prefetched are not read again."""
    owners = {image.pk: product for product in products for image in product.images.all()}
    for product in products:
        vars(product)["embedding_rows"] = []
    for row in embeddings_of(owners):
        vars(owners[row.image_id])["embedding_rows"].append(row)


class EmbeddedProductImageInline(ProductImageInline):
    """A product's photos, each with where it stands."""

    fields = (*ProductImageInline.fields, "embedding")
    readonly_fields = (*ProductImageInline.readonly_fields, "embedding")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductImage]:
        # Prefetched, all photos share one product object, on which `rows_of` keeps what it read.
        queryset: QuerySet[ProductImage] = super().get_queryset(request).prefetch_related("product__images")
        return queryset

    @admin.display(description=_("embedding"))
    def embedding(self, image: ProductImage) -> SafeString:
        """The state with each active encoder version, and why one failed."""
        rows = [row for row in rows_of(image.product) if row.image_id == image.pk]
        return badges([state_badge(row) for row in rows] or [Badge(str(_("in no collection")), "default")])


class EmbeddingStateFilter(SelectFilter):
    """Products with a photo in a state, with the active version of any collection."""

    title = _("embedding")
    parameter_name = "embedding"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [
            ("failed", _("a photo failed")),
            ("waiting", _("a photo waits")),
            ("indexed", _("a photo is indexed")),
            ("missing", _("a photo is in no collection")),
            ("no_photo", _("no photo")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        rows = ImageEmbedding.objects.filter(version__in=[version.pk for version in active_versions()])
        photos = ProductImage.objects.filter(product=OuterRef("pk")).order_by()
        match self.value():
            case "failed":
                return queryset.filter(Exists(photos.filter(pk__in=rows.filter(state=State.FAILED).values("image_id"))))
            case "waiting":
                return queryset.filter(Exists(photos.filter(pk__in=rows.filter(state__in=WAITING).values("image_id"))))
            case "indexed":
                return queryset.filter(
                    Exists(photos.filter(pk__in=rows.filter(state=State.INDEXED).values("image_id")))
                )
            case "missing":
                return queryset.filter(Exists(photos.exclude(pk__in=rows.values("image_id"))))
            case "no_photo":
                return queryset.filter(~Exists(photos))
        return queryset


class EmbeddedProductAdmin(ProductAdmin):
    """Products, with where their photos stand in the index."""

    inlines = (EmbeddedProductImageInline,)
    list_display = (*ProductAdmin.list_display[:-1], "embedding", ProductAdmin.list_display[-1])
    list_filter = (*ProductAdmin.list_filter[:-1], EmbeddingStateFilter, ProductAdmin.list_filter[-1])
    actions = (*ProductAdmin.actions, "embed_again", "reindex")

    def complete_rows(self, products: Sequence[Product]) -> None:
        super().complete_rows(products)
        read_rows(products)

    @admin.display(description=_("embedding"))
    def embedding(self, product: Product) -> SafeString:
        """How many of the product's photos are in which state."""
        if not product.images.all():
            return badges([Badge(str(_("no photo")), "default")])
        counts = Counter("waiting" if row.state in WAITING else row.state for row in rows_of(product))
        failed, waiting, indexed = counts[State.FAILED], counts["waiting"], counts[State.INDEXED]
        shown = [
            Badge(ngettext("%d failed", "%d failed", failed) % failed if failed else "", "danger"),
            Badge(ngettext("%d waits", "%d wait", waiting) % waiting if waiting else "", "info"),
            Badge(ngettext("%d indexed", "%d indexed", indexed) % indexed if indexed else "", "success"),
        ]
        return badges([badge for badge in shown if badge.text] or [Badge(str(_("in no collection")), "default")])

    @admin.action(description=_("Embed photos again"), permissions=["change"])
    def embed_again(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Forget the vectors, and run the encoder anew; the way back for a photo that failed."""
        number = _for_photos(queryset, outbox.embed_again)
        _tell(
            request, number, ngettext("%d photo will be embedded again.", "%d photos will be embedded again.", number)
        )

    @admin.action(description=_("Reindex photos"), permissions=["change"])
    def reindex(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Write the points anew from the stored vectors; the encoder is not run."""
        number = _for_photos(queryset, outbox.patch_again)
        text = ngettext(
            "%d photo will be written to the index again.", "%d photos will be written to the index again.", number
        )
        _tell(request, number, text)


def _for_photos(products: QuerySet[Product], note: Callable[[Sequence[int]], None]) -> int:
    """Note this for all photos of the products and call for the work. Returns how many photos there are."""
    image_ids = ids_of(ProductImage.objects.filter(product__in=products.order_by().values("pk")))
    with transaction.atomic():
        for batch in in_batches(image_ids):
            note(batch)
            call_for_work(batch)
    return len(image_ids)


def _tell(request: HttpRequest, number: int, text: str) -> None:
    if number:
        messages.success(request, text % number)
    else:
        messages.warning(request, _("The selected products have no photos."))


admin.site.unregister(Product)
admin.site.register(Product, EmbeddedProductAdmin)


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the service itself writes, to be looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowsChangeList]:  # noqa: ARG002
        return RowsChangeList

    def complete_rows(self, rows: Sequence[Any]) -> None:
        """Read what the list shows beside the rows' own fields."""

    class Media:
        css = {"all": ("catalog/admin.css", "embeddings/admin.css")}


def _counts_by_state(version_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many photos of each of these versions are in each state."""
    rows = ImageEmbedding.objects.filter(version__in=list(version_ids)).order_by()
    counts: dict[int, dict[str, int]] = {}
    for version_id, state, number in rows.values_list("version", "state").annotate(Count("pk")):
        counts.setdefault(version_id, {})[state] = number
    return counts


def _count_badges(counts: dict[str, int]) -> SafeString:
    shown = [
        Badge(f"{counts[state]:,} {state.label}", _VARIANTS.get(state, "info")) for state in State if counts.get(state)
    ]
    return badges(shown or [Badge(str(_("no photos")), "default")])


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin):
    """The similarity systems. Only the name may be changed here: anything else asks for a reindex."""

    list_display = ("name", "slug", "active_version", "distance_shown", "photos")
    list_select_related = ("active_version__collection",)
    fields = ("name", "slug", "active_version", "distance", "covered_categories", "photos")
    readonly_fields = ("slug", "active_version", "distance", "covered_categories", "photos")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("embeddings.change_collection")

    def complete_rows(self, rows: Sequence[Collection]) -> None:
        counts = _counts_by_state(row.active_version_id for row in rows if row.active_version_id)
        for row in rows:
            vars(row)["counts"] = counts.get(row.active_version_id or 0, {})

    @admin.display(description=_("distance"), ordering="distance")
    def distance_shown(self, collection: Collection) -> str:
        """How vectors are compared."""
        return collection.get_distance_display()

    @admin.display(description=_("photos"))
    def photos(self, collection: Collection) -> SafeString:
        """How many photos are in which state with the active version."""
        if "counts" not in vars(collection):
            self.complete_rows([collection])
        return _count_badges(vars(collection)["counts"])

    @admin.display(description=_("categories"))
    def covered_categories(self, collection: Collection) -> str:
        """What the collection covers."""
        return ", ".join(collection.categories.values_list("path", flat=True)) or str(_("the whole catalogue"))


# A report is a file that was made by a training, and is shown among the admin's own pages: it may do nothing but look well.
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


@admin.register(EncoderVersion)
class EncoderVersionAdmin(ReadOnlyAdmin):
    """The encoders as collections use them: how each was made, how good it is, and which one answers."""

    list_display = ("label_shown", "use", "encoder", "quality", "photos", "created_at")
    list_select_related = ("collection",)
    list_filter = ("collection",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "label_shown",
                    "use",
                    "encoder",
                    "fingerprint",
                    "dim",
                    "index_generation",
                    "rebuild_started_at",
                    "photos",
                    "created_at",
                )
            },
        ),
        (_("Quality"), {"fields": ("figures", "calibration_error", "report")}),
        (_("Training data"), {"fields": ("data_title", "data_counts", "data_problems")}),
        (_("Recipe"), {"fields": ("recipe_shown",)}),
    )
    actions = ("activate", "activate_worse", "roll_back")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EncoderVersion]:
        queryset: QuerySet[EncoderVersion] = super().get_queryset(request)
        return queryset.select_related("collection")

    def complete_rows(self, rows: Sequence[EncoderVersion]) -> None:
        counts = _counts_by_state(row.pk for row in rows)
        for row in rows:
            vars(row)["counts"] = counts.get(row.pk, {})

    def get_urls(self) -> list[URLPattern]:
        report = self.admin_site.admin_view(self.report_view)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:version_id>/report/", report, name="embeddings_encoderversion_report"), *urls]

    def report_view(self, request: HttpRequest, version_id: int) -> HttpResponseBase:
        """The evaluation report of a version, as its training wrote it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        place = report_of(get_object_or_404(EncoderVersion, pk=version_id))
        if place is None:
            raise Http404(_("This version has no report."))
        response = FileResponse(place.open("rb"), content_type="text/html; charset=utf-8")
        response["Content-Security-Policy"] = _REPORT_POLICY
        return response

    @admin.display(description=_("version"), ordering="collection__slug")
    def label_shown(self, version: EncoderVersion) -> str:
        """How the API names the version."""
        return version.label

    @admin.display(description=_("use"))
    def use(self, version: EncoderVersion) -> SafeString:
        """Whether it answers its collection's queries, is kept for a roll-back, or is neither."""
        if version.pk == version.collection.active_version_id:
            shown = [Badge(str(_("active")), "success")]
        elif version.pk == version.collection.previous_version_id:
            shown = [Badge(str(_("previous")), "info")]
        else:
            shown = [Badge(str(_("stand-by")), "default")]
        if version.rebuilding:
            shown.append(Badge(str(_("being built")), "warning"))
        return badges(shown)

    @admin.display(description=_("quality"))
    def quality(self, version: EncoderVersion) -> str:
        """The two figures that say most, on the photos that its training kept aside."""
        outcomes = version.metrics.get("outcomes") or [{}]
        named = (("mAP", "mean_average_precision"), ("Recall@1", "recall_at_1"))
        return ", ".join(f"{title} {outcomes[0][name]:.3f}" for title, name in named if name in outcomes[0])

    @admin.display(description=_("photos"))
    def photos(self, version: EncoderVersion) -> SafeString:
        """How many photos are in which state."""
        if "counts" not in vars(version):
            self.complete_rows([version])
        return _count_badges(vars(version)["counts"])

    @admin.display(description=_("figures"))
    def figures(self, version: EncoderVersion) -> SafeString | str:
        """Each encoder that was judged by the same photos, side by side."""
        outcomes = version.metrics.get("outcomes")
        if not outcomes:
            return ""
        names = ("recall_at_1", "mean_average_precision")
        headers = [str(_("encoder")), *(METRICS[name] for name in names)]
        rows = [[outcome["name"], *(_figure(outcome, name) for name in names)] for outcome in outcomes]
        return _table(headers, rows)

    @admin.display(description=_("expected calibration error"))
    def calibration_error(self, version: EncoderVersion) -> str:
        """How far the confidence of an answer is off, as a rule."""
        error = version.metrics.get("expected_calibration_error")
        return "" if error is None else f"{error:.4f}"

    @admin.display(description=_("report"))
    def report(self, version: EncoderVersion) -> SafeString | str:
        """Where the evaluation is to be read."""
        if report_of(version) is None:
            return ""
        address = reverse("admin:embeddings_encoderversion_report", args=[version.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, _("Evaluation report"))

    @admin.display(description=_("photos of"))
    def data_title(self, version: EncoderVersion) -> str:
        """What it was trained on."""
        return str(version.data.get("title", ""))

    @admin.display(description=_("photos by class"))
    def data_counts(self, version: EncoderVersion) -> SafeString | str:
        """How many photos of each class each part had."""
        splits: dict[str, dict[str, int]] = version.data.get("splits") or {}
        if not splits:
            return ""
        labels = sorted({label for counts in splits.values() for label in counts})
        rows = [[label, *(f"{counts.get(label, 0):,}" for counts in splits.values())] for label in labels]
        total = [str(_("together")), *(f"{sum(counts.values()):,}" for counts in splits.values())]
        return _table([str(_("class")), *(str(_PARTS.get(name, name)) for name in splits)], [*rows, total])

    @admin.display(description=_("problems"))
    def data_problems(self, version: EncoderVersion) -> SafeString | str:
        """What was found wrong with the photos."""
        return format_html_join("", "<p>{}</p>", ((problem,) for problem in version.data.get("problems") or ()))

    @admin.display(description=_("recipe"))
    def recipe_shown(self, version: EncoderVersion) -> SafeString | str:
        """How it was trained; what was left out is not shown."""
        rows = [[name.replace("_", " "), _plain(value)] for name, value in version.recipe.items() if value is not None]
        return _table([], rows) if rows else ""

    def has_activate_permission(self, request: HttpRequest) -> bool:
        """Who may say which version answers."""
        return request.user.has_perm("embeddings.change_encoderversion")

    @admin.action(description=_("Activate"), permissions=["activate"])
    def activate(self, request: HttpRequest, queryset: QuerySet[EncoderVersion]) -> None:
        """Put one version into use, unless it is worse than the live one; a job does it."""
        _activate(request, queryset, allow_worse=False)

    @admin.action(description=_("Activate even where it is worse"), permissions=["activate"])
    def activate_worse(self, request: HttpRequest, queryset: QuerySet[EncoderVersion]) -> None:
        """Put one version into use, whatever the comparison with the live one says."""
        _activate(request, queryset, allow_worse=True)

    @admin.action(description=_("Roll back to the previous version"), permissions=["activate"])
    def roll_back(self, request: HttpRequest, queryset: QuerySet[EncoderVersion]) -> None:
        """Make the previous version of the selected versions' collections the active one again, at once."""
        for collection in Collection.objects.filter(versions__in=queryset.order_by()).distinct():
            try:
                version = versions.roll_back(collection)
            except EmbeddingsError as error:
                messages.error(request, _sentence(error))
                continue
            call_for_work(None)
            messages.success(request, _("%s is active again.") % version.label)


_PARTS = {"train": _("to train on"), "validation": _("to validate with")}


def report_of(version: EncoderVersion) -> Path | None:
    """The page of the version's evaluation report; None where there is none in ENCODERS_ROOT."""
    root = Path(settings.ENCODERS_ROOT).resolve()
    place = (root / version.files / REPORT / PAGE).resolve()
    return place if version.files and place.is_relative_to(root) and place.is_file() else None


def _activate(request: HttpRequest, queryset: QuerySet[EncoderVersion], *, allow_worse: bool) -> None:
    chosen = list(queryset[:2])
    if len(chosen) != 1:
        messages.error(request, _("Choose one version: a collection has one that is active."))
        return
    version = chosen[0]
    if version.pk == version.collection.active_version_id:
        messages.warning(request, _("%s is active already.") % version.label)
        return
    try:
        job = submit_activation(version, allow_worse=allow_worse)
    except EmbeddingsError as error:
        messages.error(request, _sentence(error))
        return
    address = reverse("admin:embeddings_job_change", args=[job.pk])
    text = _("%s will be activated.") % version.label
    messages.success(
        request, format_html('{} <a class="underline" href="{}">{}</a>', text, address, _("See how far it is"))
    )


def _sentence(error: EmbeddingsError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _figure(outcome: Mapping[str, Any], name: str) -> str:
    """A mean, and where its 95% confidence interval lies."""
    if name not in outcome:
        return ""
    interval = outcome.get("intervals", {}).get(name)
    text = f"{outcome[name]:.3f}"
    return f"{text} ({interval[0]:.3f} to {interval[1]:.3f})" if interval else text


def _plain(value: Any) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    return render_to_string("admin/embeddings/table.html", {"headers": headers, "rows": rows})


@admin.register(ImageEmbedding)
class ImageEmbeddingAdmin(ReadOnlyAdmin):
    """The outbox, photo by photo."""

    list_display = ("preview", "product", "version", "state_shown", "attempts", "changed_at")
    list_display_links = ("product",)
    list_filter = ("state", "version")
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-pk",)
    search_fields = ("error",)
    search_help_text = _("SKU of a product, number of a photo, or words of an error")
    fields = ("preview", "product_link", "image_id", "version", "state_shown", "attempts", "content_hash", "changed_at")
    change_list_template = "admin/catalog/product/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageEmbedding]:
        queryset: QuerySet[ImageEmbedding] = super().get_queryset(request)
        return queryset.defer("vector").select_related("version__collection")

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[ImageEmbedding],
        search_term: str,
    ) -> tuple[QuerySet[ImageEmbedding], bool]:
        """By what a photo's row says, or by the product that the photo is of."""
        term = search_term.strip()
        if not term:
            return queryset, False
        of_product = ProductImage.objects.filter(product__sku__iexact=term).order_by().values("pk")
        found = Q(error__icontains=term) | Q(image_id__in=Subquery(of_product))
        if term.isdecimal() and len(term) < 19:
            found |= Q(image_id=int(term))
        return queryset.filter(found), False

    def complete_rows(self, rows: Sequence[ImageEmbedding]) -> None:
        photos = ProductImage.objects.select_related("product").in_bulk([row.image_id for row in rows])
        for row in rows:
            vars(row)["photo"] = photos.get(row.image_id)

    def _photo(self, row: ImageEmbedding) -> ProductImage | None:
        if "photo" not in vars(row):
            self.complete_rows([row])
        photo: ProductImage | None = vars(row)["photo"]
        return photo

    @admin.display(description=_("photo"))
    def preview(self, row: ImageEmbedding) -> SafeString:
        """The photo, where it still exists."""
        return thumbnail(self._photo(row))

    @admin.display(description=_("product"))
    def product(self, row: ImageEmbedding) -> str:
        """Whose photo it is."""
        photo = self._photo(row)
        return photo.product.title if photo else str(_("photo %d, deleted") % row.image_id)

    @admin.display(description=_("product"))
    def product_link(self, row: ImageEmbedding) -> str | SafeString:
        """Whose photo it is, to go there."""
        photo = self._photo(row)
        if photo is None:
            return self.product(row)
        address = reverse("admin:catalog_product_change", args=[photo.product_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, photo.product.title)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, row: ImageEmbedding) -> SafeString:
        """The state, and why it failed."""
        return badges([state_badge(row, named=False)])


_JOB_VARIANTS = {Job.State.SUCCEEDED: "success", Job.State.FAILED: "danger", Job.State.CANCELLED: "default"}


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Long work: where it stands, what came of it, and a way to end it."""

    list_display = ("created_at", "kind", "collection", "state_shown", "stage", "progress", "finished_at")
    list_filter = ("state", "collection")
    list_select_related = ("collection",)
    fields = (
        "id",
        "kind",
        "collection",
        "state_shown",
        "stage",
        "progress",
        "parameters",
        "result",
        "created_at",
        "started_at",
        "finished_at",
    )
    actions = ("cancel",)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may end a job."""
        return request.user.has_perm("embeddings.change_job")

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, job: Job) -> SafeString:
        """The state, and why it failed."""
        state = Job.State(job.state)
        return badges([Badge(str(state.label), _JOB_VARIANTS.get(state, "info"), job.error)])

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        """How far the stage is."""
        if job.ended or not job.total:
            return ""
        return f"{job.done:,} / {job.total:,} ({min(job.done / job.total, 1):.0%})"

    @admin.action(description=_("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """End those that wait or are under way."""
        cancelled = 0
        for job_id in queryset.values_list("pk", flat=True):
            try:
                jobs.cancel(job_id)
            except JobEnded as error:
                messages.warning(request, str(error))
            else:
                cancelled += 1
        if cancelled:
            text = ngettext("%d job was cancelled.", "%d jobs were cancelled.", cancelled)
            messages.success(request, text % cancelled)
