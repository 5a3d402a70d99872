"""Train a ranker: the judgements or the clicks that it learns from. The training becomes a job, whose page has the verdict."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.sites import UnfoldAdminSite
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from accounts.admin.display import sentence
from catalog.admin.import_forms import FileInput
from embeddings.errors import InvalidJudgements
from embeddings.models import Collection
from jobs.admin import job_url
from jobs.errors import JobInProgress
from jobs.facts import worded
from jobs.models import Job
from jobs.storage import StorageUnavailable
from recommender.admin.improve import training_unavailable
from recommender.job_kinds import RANKER_PERMISSIONS
from recommender.queries import DEFAULT_COLLECTION
from recommender.ranker_submissions import MAX_JUDGEMENTS_BYTES, submit_ranker_training
from training.errors import TrainingUnavailable

JUDGEMENTS, CLICKS = "judgements", "clicks"


class RankerForm(forms.Form):
    """What a training of rankers learns from."""

    collection = forms.ChoiceField(label=gettext_lazy("Collection"), widget=UnfoldAdminSelectWidget)
    source = forms.ChoiceField(
        label=gettext_lazy("Learn from"),
        choices=(
            (JUDGEMENTS, gettext_lazy("judgements in a file")),
            (CLICKS, gettext_lazy("visitors' clicks after searches by words")),
        ),
        initial=JUDGEMENTS,
        widget=UnfoldAdminSelectWidget,
    )
    file = forms.FileField(
        label=gettext_lazy("File of judgements"),
        required=False,
        widget=FileInput(attrs={"class": "admin-photos-input", "accept": ".csv,.tsv,.txt"}),
        help_text=gettext_lazy(
            "A table (CSV) with the columns query, sku and grade: how well a product fits what was searched for. 0 does not fit;"
            " the higher, the better."
        ),
    )
    activate = forms.BooleanField(
        label=gettext_lazy("Use the best at once, if it is better than the text order"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["collection"]
        field.choices = list(Collection.objects.values_list("slug", "name"))
        field.initial = DEFAULT_COLLECTION

    def clean(self) -> dict[str, Any]:
        """Check that a file was sent if and only if it is to be learned from."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if cleaned.get("source") == CLICKS:
            cleaned["file"] = None
        elif file is None and "file" not in self.errors:
            self.add_error("file", _("Choose the file of judgements."))
        elif file is not None and file.size > MAX_JUDGEMENTS_BYTES:
            self.add_error("file", _("The file is larger than %s.") % filesizeformat(MAX_JUDGEMENTS_BYTES))
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
def train_ranker(request: HttpRequest, site: UnfoldAdminSite) -> HttpResponse:
    """The page, whose form submits a training.

    Args:
        request: of a user who may change ranker versions.
        site: the admin site, for the context of its pages.

    Returns:
        The page, or a redirect to the page of the job.

    Raises:
        PermissionDenied: the user may not train rankers.
    """
    if not request.user.has_perms(RANKER_PERMISSIONS):
        raise PermissionDenied
    form = RankerForm(request.POST, request.FILES) if request.method == "POST" else RankerForm()
    if form.is_bound and form.is_valid() and (job := _submitted(form)) is not None:
        return redirect(job_url(job))
    context = {**site.each_context(request), "title": _("Train a ranker"), "form": form}
    return render(request, "admin/recommender/train_ranker.html", context)


def _submitted(form: RankerForm) -> Job | None:
    """The job; None where the form has got an error instead."""
    wanted = form.cleaned_data
    file = wanted["file"]
    name = "" if file is None else file.name
    try:
        return submit_ranker_training(wanted["collection"], file, file_name=name, activate=wanted["activate"])
    except InvalidJudgements as error:
        form.add_error("file", sentence(error))
    except TrainingUnavailable:
        form.add_error(None, training_unavailable())
    except (JobInProgress, StorageUnavailable) as error:
        form.add_error(None, sentence(worded(str(error))))
    return None
