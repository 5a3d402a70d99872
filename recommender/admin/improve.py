"""Improve on my photos: what the photos of a collection can teach an encoder, the training, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from unfold.sites import UnfoldAdminSite

from accounts.admin.display import sentence
from embeddings.dataset import SMALL_CLASS
from embeddings.errors import UnusablePhotos
from embeddings.models import Collection, EncoderVersion
from jobs.admin import job_page_context, job_url
from jobs.errors import JobInProgress
from jobs.facts import worded
from jobs.models import Job
from jobs.states import JobState
from recommender.queries import DEFAULT_COLLECTION
from training.errors import TrainingUnavailable
from training.job_kinds import TRAIN, TRAINING_PERMISSIONS, training_verdict
from training.readiness import CategoryPhotos, Readiness, Shortcoming, photo_readiness
from training.submissions import check_training_allowed, submit_catalogue_training

# So many trained versions are shown, the newest first.
VERSIONS = 3


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category in the table, with the list of its products and what is wrong in words."""

    photos: CategoryPhotos
    url: str
    troubles: Sequence[str]


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A version that was trained, with the verdict in words and whether it answers."""

    version: EncoderVersion
    words: Sequence[str]
    is_active: bool
    is_previous: bool


def may_train(request: HttpRequest) -> bool:
    """Whether the user may train and activate encoder versions."""
    return request.user.has_perms(TRAINING_PERMISSIONS)


@require_http_methods(["GET", "HEAD", "POST"])
def improve(request: HttpRequest, site: UnfoldAdminSite) -> HttpResponse:
    """The page of a collection: `collection`, the whole catalogue's by default; sending its form submits the training.

    Args:
        request: of a user who may train.
        site: the admin site, for the context of its pages.

    Returns:
        The page, or a redirect to it.

    Raises:
        PermissionDenied: the user may not train.
    """
    if not may_train(request):
        raise PermissionDenied
    collections = list(Collection.objects.select_related("active_version__collection").prefetch_related("categories"))
    asked = request.GET.get("collection", DEFAULT_COLLECTION)
    chosen = next((each for each in collections if each.slug == asked), next(iter(collections), None))
    if request.method == "POST" and chosen is not None:
        _submit(request, chosen.slug)
        return redirect(f"{reverse('admin:improve')}?{urlencode({'collection': chosen.slug})}")
    context = {
        **site.each_context(request),
        "title": _("Improve on my photos"),
        "collections": collections,
        "chosen": chosen,
        "may_add": request.user.has_perm("embeddings.add_collection"),
        **({} if chosen is None else _about(request, chosen)),
    }
    return render(request, "admin/recommender/improve.html", context)


def _submit(request: HttpRequest, slug: str) -> None:
    try:
        submit_catalogue_training(slug)
    except (TrainingUnavailable, JobInProgress, UnusablePhotos) as error:
        messages.error(
            request, training_unavailable() if isinstance(error, TrainingUnavailable) else sentence(worded(str(error)))
        )


def training_unavailable() -> str:
    """What to do where nothing can train, for somebody who does not run the server."""
    return _(
        "This server cannot train: TensorFlow is not installed on it. Ask whoever runs it to install the extra “train”"
        " (make setup), or to start a worker for trainings."
    )


def _about(request: HttpRequest, collection: Collection) -> dict[str, Any]:
    readiness = photo_readiness(collection)
    latest = Job.objects.filter(kind=TRAIN, collection=collection.slug).first()
    running = latest if latest is not None and not latest.ended else None
    return {
        "readiness": readiness,
        "categories": [_row(each) for each in readiness.categories],
        "troubles": _troubles(readiness),
        "obstacle": "" if running else _obstacle(collection, readiness),
        "failed": latest if latest is not None and latest.state == JobState.FAILED else None,
        "failed_url": job_url(latest) if latest is not None else "",
        "trained": _trained(collection),
        **({} if running is None else job_page_context(request, running)),
    }


def _row(photos: CategoryPhotos) -> CategoryRow:
    products = f"{reverse('admin:catalog_product_changelist')}?{urlencode({'category': photos.category.path})}"
    return CategoryRow(photos, products, [_trouble(photos, each) for each in photos.shortcomings])


def _trouble(photos: CategoryPhotos, shortcoming: Shortcoming) -> str:
    match shortcoming:
        case Shortcoming.NO_PHOTO:
            return _("no photo to learn from")
        case Shortcoming.ONE_PHOTO:
            return _("one photo teaches nothing: add more")
        case Shortcoming.FEW_PHOTOS:
            return _("few photos: %(wanted)d or more teach better") % {"wanted": SMALL_CLASS}
        case Shortcoming.ONE_PRODUCT:
            return _("photos of one product alone")
        case Shortcoming.UNREADABLE:
            return (
                ngettext("%d photo cannot be read", "%d photos cannot be read", photos.unreadable) % photos.unreadable
            )
        case Shortcoming.CHARTS:
            return (
                ngettext(
                    "%d chart or placeholder is left out", "%d charts and placeholders are left out", photos.charts
                )
                % photos.charts
            )
        case Shortcoming.USELESS:
            return (
                ngettext("%d photo is too small or set aside", "%d photos are too small or set aside", photos.useless)
                % photos.useless
            )


def _troubles(readiness: Readiness) -> list[str]:
    """What is wrong with the collection as a whole."""
    troubles = []
    if not readiness.is_ready:
        troubles.append(
            _(
                "An encoder learns to separate categories, so that two with two photos each are the least. Give your"
                " products categories, or add photos."
            )
        )
    if readiness.without_category:
        troubles.append(
            ngettext(
                "%d photo is of a product without a category: nothing is learned from it.",
                "%d photos are of products without a category: nothing is learned from them.",
                readiness.without_category,
            )
            % readiness.without_category
        )
    if readiness.is_imbalanced:
        troubles.append(
            _("The largest category has more than ten times the photos of the smallest, which is learned less well.")
        )
    return troubles


def _obstacle(collection: Collection, readiness: Readiness) -> str:
    """Why no training can start; "" if one can."""
    try:
        check_training_allowed(collection.slug)
    except TrainingUnavailable:
        return training_unavailable()
    return "" if readiness.is_ready else _("There are too few photos or categories to train on.")


def _trained(collection: Collection) -> list[TrainedVersion]:
    versions = EncoderVersion.objects.filter(collection=collection).exclude(files="").order_by("-number")
    return [
        TrainedVersion(
            version,
            training_verdict(version),
            version.pk == collection.active_version_id,
            version.pk == collection.previous_version_id,
        )
        for version in versions.select_related("collection")[:VERSIONS]
    ]
