"""The confirmation of an activation in the admin: what the most-seen products recommend before and after, and figures in words."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from unfold.sites import UnfoldAdminSite

from accounts.admin.display import sentence
from embeddings.errors import UnusablePhotos
from embeddings.evaluation.finds import finds_in_words
from embeddings.evaluation.live import compare_categories
from embeddings.models import EncoderVersion
from embeddings.submissions import submit_activation, submit_preparation
from jobs.admin import notify_submitted
from jobs.errors import JobInProgress
from jobs.facts import worded
from recommender.strips import StripComparison, compare_strips


@require_http_methods(["GET", "HEAD", "POST"])
def activation(request: HttpRequest, version_id: int, site: UnfoldAdminSite) -> HttpResponse:
    """The page; sending its form submits the activation, or the embedding that a comparison needs.

    Args:
        request: of a user who may say which version answers.
        version_id: the version that is to be activated.
        site: the admin site, for the context of its pages.

    Returns:
        The page, or a redirect to the page of the version.

    Raises:
        PermissionDenied: the user may not activate versions.
    """
    if not request.user.has_perm("embeddings.change_encoderversion"):
        raise PermissionDenied
    version = get_object_or_404(EncoderVersion.objects.select_related("collection__active_version"), pk=version_id)
    if request.method == "POST":
        _submit(request, version)
        return redirect("admin:embeddings_encoderversion_change", version.pk)
    live = version.collection.active_version
    if live is not None and live.pk == version.pk:
        messages.warning(request, _("%s is active already.") % version.label)
        return redirect("admin:embeddings_encoderversion_change", version.pk)
    comparison = StripComparison([], 0, 0) if live is None else compare_strips(live, version)
    context = {
        **site.each_context(request),
        "title": _("Activate %s") % version.label,
        "version": version,
        "live": live,
        "comparison": comparison,
        "words": [] if live is None or not comparison.strips else _in_words(live, version),
    }
    return render(request, "admin/recommender/activation.html", context)


def _submit(request: HttpRequest, version: EncoderVersion) -> None:
    try:
        if "prepare" in request.POST:
            job = submit_preparation(version)
            notify_submitted(request, job, _("The photos will be embedded by %s.") % version.label)
        else:
            job = submit_activation(version, allow_worse="allow_worse" in request.POST)
            notify_submitted(request, job, _("%s will be activated.") % version.label)
    except JobInProgress as error:
        messages.error(request, sentence(worded(str(error))))


def _in_words(live: EncoderVersion, version: EncoderVersion) -> list[str]:
    """What the comparison by categories says, a sentence each."""
    try:
        finds = compare_categories(live, version)
    except UnusablePhotos as error:
        return [_("There are no figures: %s.") % error]
    return finds_in_words(version.label, finds)
