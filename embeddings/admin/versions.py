"""Collections and their encoder versions: how each was made, how good it is, and which one answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db import transaction
from django.db.models import CharField, Count, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from accounts.admin.display import Badge, ReadOnlyAdmin, badges, sentence, table, with_interval
from catalog.models import Category
from embeddings import versions
from embeddings.admin.display import VARIANTS, State
from embeddings.coverage import COVERAGE, set_coverage, submit_coverage
from embeddings.errors import EmbeddingsError
from embeddings.evaluation.metrics import METRICS
from embeddings.evaluation.report import PAGE
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.receivers import dispatch_indexing
from embeddings.submissions import VERIFY, submit_activation, submit_reindex, submit_verification
from embeddings.text_outbox import index_texts_again
from embeddings.verification import VerificationReport
from embeddings.versions import REPORT
from jobs.admin import notify_submitted
from jobs.errors import JobInProgress
from jobs.facts import worded
from jobs.models import Job
from jobs.selectors import is_active
from stores import base as stores
from stores.errors import StoreError

if TYPE_CHECKING:
    _CollectionModelForm = forms.ModelForm[Collection]
else:
    _CollectionModelForm = forms.ModelForm


def _counts_by_state(version_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many photos of each of these versions are in each state."""
    rows = ImageEmbedding.objects.filter(version__in=list(version_ids)).order_by()
    counts: dict[int, dict[str, int]] = {}
    for version_id, state, number in rows.values_list("version", "state").annotate(Count("pk")):
        counts.setdefault(version_id, {})[state] = number
    return counts


def _count_badges(counts: dict[str, int]) -> SafeString:
    shown = [
        Badge(f"{counts[state]:,} {state.label}", VARIANTS.get(state, "info")) for state in State if counts.get(state)
    ]
    return badges(shown or [Badge(str(_("no photos")), "default")])


class CollectionForm(_CollectionModelForm):
    """The name of a collection, and what it covers."""

    covered = forms.ModelMultipleChoiceField(
        label=_("Categories"),
        queryset=Category.objects.order_by("path"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text=_("With everything below them. Without any, the collection covers nothing."),
    )

    class Meta:
        model = Collection
        fields = ("name", "slug", "covers_all", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial.setdefault("covered", [*self.instance.categories.values_list("pk", flat=True)])

    def clean(self) -> dict[str, Any] | None:
        """Refuse categories beside the whole catalogue, and a change while the job of an earlier one is under way."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("covers_all") and cleaned.get("covered"):
            raise ValidationError(_("Choose categories, or the whole catalogue: not both."))
        if self.instance._state.adding and not cleaned.get("covers_all") and not cleaned.get("covered"):
            raise ValidationError(_("Choose the categories of the new collection, or the whole catalogue."))
        if {"covers_all", "covered"} & {*self.changed_data} and is_active(COVERAGE, self.instance.slug):
            raise ValidationError(_("An earlier change is still being followed up: wait until its job has ended."))
        return cleaned


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin):
    """The similarity systems. They are made here; after a change of what they cover a job follows with the photos."""

    list_display = ("name", "slug", "active_version", "distance_shown", "photos")
    list_select_related = ("active_version__collection",)
    search_fields = ("name", "slug")
    actions = ("reindex",)
    form = CollectionForm
    readonly_fields = ("slug", "active_version", "active_ranker", "distance", "photos")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:  # noqa: ARG002
        """A new collection has what is asked of it; an existing one also what became of it."""
        asked = ("name", "slug", "covers_all", "covered", "language")
        if obj is None:
            return [(None, {"fields": asked})]
        became = ("active_version", "active_ranker", "distance", "photos")
        return [
            (_("Collection"), {"classes": ["tab"], "fields": asked}),
            (_("Encoder and photos"), {"classes": ["tab"], "fields": became}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        return () if obj is None else super().get_readonly_fields(request, obj)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:  # noqa: ARG002
        return {"slug": ("name",)} if obj is None else {}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("embeddings.add_collection")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("embeddings.change_collection")

    @admin.action(description=_("Reindex"), permissions=["change"])
    def reindex(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        """Rebuild the indexes of these collections, each by a job, while the live ones answer."""
        for collection in queryset:
            try:
                job = submit_reindex(collection)
            except JobInProgress as error:
                messages.error(request, sentence(worded(str(error))))
            else:
                notify_submitted(request, job, _("The index of %s will be rebuilt.") % collection.name)

    def prefetch_rows(self, rows: Sequence[Collection]) -> None:
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
            self.prefetch_rows([collection])
        return _count_badges(vars(collection)["counts"])

    @admin.display(description=_("categories"))
    def covered(self, collection: Collection) -> str:
        """What the form's field shows to those who may only view."""
        return ", ".join(collection.categories.values_list("path", flat=True))

    def save_model(self, request: HttpRequest, obj: Collection, form: CollectionForm, change: bool) -> None:
        """Save the name and the language, and submit the job that follows a new collection or a change of what it covers."""
        if not change:
            self._create(request, obj, form)
            return
        stored = Collection.objects.get(pk=obj.pk)
        stored.name, stored.language = obj.name, obj.language
        with transaction.atomic():
            stored.save(update_fields=["name", "language"])
            if "language" in form.changed_data:
                index_texts_again(stored.pk)
                dispatch_indexing(None)
        if {"covers_all", "covered"} & {*form.changed_data}:
            covered = [category.path for category in form.cleaned_data["covered"]]
            job = submit_coverage(stored, covered, covers_all=form.cleaned_data["covers_all"])
            notify_submitted(request, job, _("Photos of what %s covers now will be embedded.") % obj.name)

    def _create(self, request: HttpRequest, obj: Collection, form: CollectionForm) -> None:
        """Save a new collection, which answers by the default encoder as soon as its photos are embedded."""
        covers_all, obj.covers_all = obj.covers_all, False
        obj.save()
        set_coverage(obj, [category.path for category in form.cleaned_data["covered"]], covers_all=covers_all)
        try:
            job = submit_activation(versions.create_version(obj, settings.DEFAULT_ENCODER))
        except EmbeddingsError as error:
            messages.error(request, sentence(error))
        else:
            notify_submitted(
                request, job, _("The photos of %s will be embedded; it answers when that is done.") % obj.name
            )


# A report is a file that was made by a training, and is shown among the admin's own pages: it may do nothing but look well.
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


_BUTTON = "bg-primary-600 border border-transparent cursor-pointer font-medium inline-block px-3 py-2 rounded-default text-white"
# Sends the form of a page, whose fields are of no account.
_SUBMIT = '<button type="submit" formaction="{}" formmethod="post" formnovalidate class="{}">{}</button>'


@admin.register(EncoderVersion)
class EncoderVersionAdmin(ReadOnlyAdmin):
    """The encoders as collections use them: how each was made, how good it is, and which one answers."""

    list_display = ("label_shown", "use", "encoder", "quality", "photos", "created_at")
    list_select_related = ("collection",)
    list_filter = ("collection",)
    search_fields = ("label_text", "collection__name", "encoder")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "label_shown",
                    "use",
                    "switch",
                    "encoder",
                    "fingerprint",
                    "dim",
                    "index_generation",
                    "rebuild_started_at",
                    "photos",
                    "verification",
                    "created_at",
                )
            },
        ),
        (_("Quality"), {"classes": ["tab"], "fields": ("figures", "calibration_error", "report")}),
        (_("Training data"), {"classes": ["tab"], "fields": ("data_title", "data_counts", "data_problems")}),
        (_("Recipe"), {"classes": ["tab"], "fields": ("recipe_shown",)}),
    )
    actions = ("activate", "roll_back", "delete_versions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EncoderVersion]:
        queryset: QuerySet[EncoderVersion] = super().get_queryset(request)
        label = Concat("collection__slug", Value("-v"), Cast("number", CharField()))
        return queryset.select_related("collection__previous_version__collection").annotate(label_text=label)

    def prefetch_rows(self, rows: Sequence[EncoderVersion]) -> None:
        counts = _counts_by_state(row.pk for row in rows)
        for row in rows:
            vars(row)["counts"] = counts.get(row.pk, {})

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> EncoderVersion | None:
        version: EncoderVersion | None = super().get_object(request, *args, **kwargs)
        if version is not None:
            vars(version)["may_activate"] = self.has_activate_permission(request)
        return version

    def get_urls(self) -> list[URLPattern]:
        report = self.admin_site.admin_view(self.report_view)
        urls: list[URLPattern] = super().get_urls()
        verify = self.admin_site.admin_view(self.verify_view)
        roll_back = self.admin_site.admin_view(self.roll_back_view)
        return [
            path("<int:version_id>/report/", report, name="embeddings_encoderversion_report"),
            path("<int:version_id>/verify/", verify, name="embeddings_encoderversion_verify"),
            path("<int:version_id>/roll-back/", roll_back, name="embeddings_encoderversion_roll_back"),
            *urls,
        ]

    @method_decorator(require_POST)
    def verify_view(self, request: HttpRequest, version_id: int) -> HttpResponseBase:
        """Submit the comparison of an active version's index with the database."""
        if not self.has_activate_permission(request):
            raise PermissionDenied
        version = get_object_or_404(EncoderVersion.objects.select_related("collection"), pk=version_id)
        if version.pk != version.collection.active_version_id:
            messages.error(request, _("%s is not active: only a live index is compared.") % version.label)
        else:
            try:
                job = submit_verification(version.collection)
            except JobInProgress as error:
                messages.error(request, sentence(worded(str(error))))
            else:
                notify_submitted(request, job, _("The index of %s will be compared.") % version.label)
        return redirect("admin:embeddings_encoderversion_change", version.pk)

    @method_decorator(require_POST)
    def roll_back_view(self, request: HttpRequest, version_id: int) -> HttpResponseBase:
        """Make the previous version of an active one answer again, at once, and show it."""
        if not self.has_activate_permission(request):
            raise PermissionDenied
        version = get_object_or_404(EncoderVersion.objects.select_related("collection"), pk=version_id)
        shown: int = version.pk
        if version.pk != version.collection.active_version_id:
            messages.error(request, _("%s is not active: there is nothing to roll back.") % version.label)
        elif (previous := _roll_back(request, version.collection)) is not None:
            shown = previous.pk
        return redirect("admin:embeddings_encoderversion_change", shown)

    def report_view(self, request: HttpRequest, version_id: int) -> HttpResponseBase:
        """The evaluation report of a version, as its training wrote it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = get_object_or_404(EncoderVersion, pk=version_id)
        if not has_report(version):
            raise Http404(_("This version has no report."))
        report = stores.encoders().open(_report_name(version))
        response = FileResponse(report, content_type="text/html; charset=utf-8")
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

    @admin.display(description=_("which version answers"))
    def switch(self, version: EncoderVersion) -> SafeString | str:
        """The way to activate the version, or to roll back from it; its button sends the form of the page."""
        if not vars(version).get("may_activate"):
            return ""
        if version.pk != version.collection.active_version_id:
            address = reverse("admin:activation", args=[version.pk])
            return format_html('<a class="{}" href="{}">{}</a>', _BUTTON, address, _("Compare and activate"))
        previous = version.collection.previous_version
        if previous is None:
            return str(_("No version was active before."))
        address = reverse("admin:embeddings_encoderversion_roll_back", args=[version.pk])
        label = _("Roll back to %s") % previous.label
        return format_html(_SUBMIT, address, _BUTTON, label)

    @admin.display(description=_("quality"))
    def quality(self, version: EncoderVersion) -> str:
        """The two figures that say most, on the photos that its training kept aside."""
        named = (("mAP", "mean_average_precision"), ("Recall@1", "recall_at_1"))
        return ", ".join(f"{title} {version.outcome[name]:.3f}" for title, name in named if name in version.outcome)

    @admin.display(description=_("photos"))
    def photos(self, version: EncoderVersion) -> SafeString:
        """How many photos are in which state."""
        if "counts" not in vars(version):
            self.prefetch_rows([version])
        return _count_badges(vars(version)["counts"])

    @admin.display(description=_("index compared with the database"))
    def verification(self, version: EncoderVersion) -> SafeString | str:
        """What the last comparison found, and a button for the next one, which sends the form of the page."""
        if version.pk != version.collection.active_version_id:
            return ""
        if not vars(version).get("may_activate"):
            return _last_verification(version)
        address = reverse("admin:embeddings_encoderversion_verify", args=[version.pk])
        button = format_html(_SUBMIT, address, _BUTTON, _("Compare now"))
        return format_html("<p>{}</p>{}", _last_verification(version), button)

    @admin.display(description=_("figures"))
    def figures(self, version: EncoderVersion) -> SafeString | str:
        """Each encoder that was judged by the same photos, side by side."""
        outcomes = version.metrics.get("outcomes")
        if not outcomes:
            return ""
        names = ("recall_at_1", "mean_average_precision")
        headers = [str(_("encoder")), *(METRICS[name] for name in names)]
        rows = [[outcome["name"], *(_figure(outcome, name) for name in names)] for outcome in outcomes]
        return table(headers, rows)

    @admin.display(description=_("expected calibration error"))
    def calibration_error(self, version: EncoderVersion) -> str:
        """How far the confidence of an answer is off, as a rule."""
        error = version.metrics.get("expected_calibration_error")
        return "" if error is None else f"{error:.4f}"

    @admin.display(description=_("report"))
    def report(self, version: EncoderVersion) -> SafeString | str:
        """Where the evaluation is to be read."""
        if not has_report(version):
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
        return table([str(_("class")), *(str(_PARTS.get(name, name)) for name in splits)], [*rows, total])

    @admin.display(description=_("problems"))
    def data_problems(self, version: EncoderVersion) -> SafeString | str:
        """What was found wrong with the photos."""
        return format_html_join("", "<p>{}</p>", ((problem,) for problem in version.data.get("problems") or ()))

    @admin.display(description=_("recipe"))
    def recipe_shown(self, version: EncoderVersion) -> SafeString | str:
        """How it was trained; what was left out is not shown."""
        rows = [[name.replace("_", " "), _plain(value)] for name, value in version.recipe.items() if value is not None]
        return table([], rows) if rows else ""

    def has_activate_permission(self, request: HttpRequest) -> bool:
        """Who may say which version answers."""
        return request.user.has_perm("embeddings.change_encoderversion")

    @admin.action(description=_("Activate"), permissions=["activate"])
    def activate(self, request: HttpRequest, queryset: QuerySet[EncoderVersion]) -> HttpResponseBase | None:
        """Go to the page that shows what activating one version changes, and confirms it."""
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, _("Choose one version: a collection has one that is active."))
        elif chosen[0].pk == chosen[0].collection.active_version_id:
            messages.warning(request, _("%s is active already.") % chosen[0].label)
        else:
            # A page of the recommender: it shows recommendations.
            return redirect("admin:activation", chosen[0].pk)
        return None

    def has_delete_versions_permission(self, request: HttpRequest) -> bool:
        """Who may delete versions that are not used."""
        return request.user.has_perm("embeddings.delete_encoderversion")

    @admin.action(description=_("Delete with their files, if they are not used"), permissions=["delete_versions"])
    def delete_versions(self, request: HttpRequest, queryset: QuerySet[EncoderVersion]) -> None:
        """Delete the chosen versions that are not used, with index, vectors and files; the others are named with the reason."""
        for version in queryset:
            label = version.label
            try:
                versions.delete_version(version)
            except EmbeddingsError as error:
                messages.error(request, sentence(error))
            else:
                messages.success(request, _("%s is deleted, with its files.") % label)

    @admin.action(description=_("Roll back to the previous version"), permissions=["activate"])
    def roll_back(self, request: HttpRequest, queryset: QuerySet[EncoderVersion]) -> None:
        """Make the previous version of the selected versions' collections the active one again, at once."""
        for collection in Collection.objects.filter(versions__in=queryset.order_by()).distinct():
            _roll_back(request, collection)


def _roll_back(request: HttpRequest, collection: Collection) -> EncoderVersion | None:
    """Roll a collection back and say so. Returns the version that is active now; None where that was not possible."""
    try:
        version = versions.roll_back(collection)
    except EmbeddingsError as error:
        messages.error(request, sentence(error))
        return None
    dispatch_indexing(None)
    messages.success(request, _("%s is active again.") % version.label)
    return version


_PARTS = {"train": _("to train on"), "validation": _("to validate with")}


def _last_verification(version: EncoderVersion) -> str:
    job = Job.objects.filter(kind=VERIFY, collection=version.collection.slug).first()
    if job is None or (job.ended and job.result is None and not job.error):
        return str(_("Not compared yet."))
    if not job.ended:
        return str(_("The comparison is under way."))
    when = date_format(timezone.localtime(job.finished_at), "DATETIME_FORMAT")
    if job.result is None:
        return str(_("%(when)s: failed, since %(error)s.") % {"when": when, "error": job.error_in_words})
    if not any(job.result[each.name] for each in fields(VerificationReport)):
        return str(_("%(when)s, %(encoder)s: no difference.") % {"when": when, **job.result})
    return str(
        _("%(when)s, %(encoder)s: %(missing)d missing, %(stale)d stale, %(orphaned)d orphaned; repaired.")
        % {"when": when, **job.result}
    )


def has_report(version: EncoderVersion) -> bool:
    """Whether the version has an evaluation report; False while the store of encoders is away."""
    store, name = stores.encoders(), _report_name(version)
    try:
        if not version.files or not store.exists(name):
            return False
        # A link in a folder may lead out of it.
        return not store.is_local or Path(store.path(name)).resolve().is_relative_to(Path(store.path("")).resolve())
    except (StoreError, SuspiciousOperation):
        return False


def _report_name(version: EncoderVersion) -> str:
    return f"{version.files}/{REPORT}/{PAGE}"


def _figure(outcome: Mapping[str, Any], name: str) -> str:
    """A mean, and where its 95% confidence interval lies."""
    if name not in outcome:
        return ""
    interval = outcome.get("intervals", {}).get(name)
    return with_interval(outcome[name], tuple(interval) if interval else None)


def _plain(value: Any) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)
