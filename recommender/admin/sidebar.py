"""The admin's side bar: groups of links, each shown to users who may open its page. The setting UNFOLD names `navigation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from catalog.admin.imports import IMPORT_PERMISSIONS
from recommender.job_kinds import RANKER_PERMISSIONS


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    """All groups of the side bar, in order.

    Returns:
        Groups as unfold expects them. Unfold itself leaves out the items whose `permission` refuses the request.
    """
    return [
        {"items": [{"title": _("Overview"), "icon": "monitoring", "link": reverse_lazy("admin:index")}]},
        {
            "title": _("Catalogue"),
            "items": [
                _model_item(_("Products"), "sell", "catalog", "product"),
                _model_item(_("Categories"), "account_tree", "catalog", "category"),
                {
                    "title": _("Feeds"),
                    "icon": "rss_feed",
                    "link": reverse_lazy("admin:catalog_feed_changelist"),
                    "model": "catalog.feed",
                    "permission": lambda request: request.user.has_perms(IMPORT_PERMISSIONS),
                },
                {
                    "title": _("Near-duplicates"),
                    "icon": "content_copy",
                    "link": reverse_lazy("admin:catalog_duplicatepair_changelist"),
                    "permission": _any_permission("catalog.change_product"),
                },
                {
                    "title": _("Catalogue doctor"),
                    "icon": "stethoscope",
                    "link": reverse_lazy("admin:embeddings_diagnosis_changelist"),
                    "permission": _any_permission("catalog.change_product"),
                },
            ],
        },
        {
            "title": _("Recommendations"),
            "separator": True,
            "items": [
                {
                    "title": _("Visual search"),
                    "icon": "photo_camera",
                    "link": reverse_lazy("admin:visual_search"),
                    "permission": _any_permission("catalog.view_product", "catalog.change_product"),
                },
                {
                    "title": _("Embed in my pages"),
                    "icon": "code",
                    "link": reverse_lazy("admin:embed"),
                    "permission": _any_permission("catalog.view_product", "catalog.change_product"),
                },
                {
                    "title": _("What they bring"),
                    "icon": "trending_up",
                    "link": reverse_lazy("admin:visitors"),
                    "permission": _any_permission("recommender.view_event", "recommender.change_event"),
                },
                {
                    "title": _("Improve on my photos"),
                    "icon": "school",
                    "link": reverse_lazy("admin:improve"),
                    "permission": _any_permission("embeddings.change_encoderversion"),
                },
                _model_item(_("Rule sets"), "rule_settings", "recommender", "ruleset"),
                _model_item(_("Rules"), "rule", "recommender", "rule"),
                _model_item(_("Collections"), "category_search", "embeddings", "collection"),
                _model_item(_("Encoder versions"), "model_training", "embeddings", "encoderversion"),
                _model_item(_("Ranker versions"), "sort", "embeddings", "rankerversion"),
                _model_item(_("Image embeddings"), "image_search", "embeddings", "imageembedding"),
                _model_item(_("Jobs"), "hourglass_top", "jobs", "job"),
            ],
        },
        {
            "title": _("People"),
            "separator": True,
            "items": [
                _model_item(_("Users"), "person", "accounts", "user"),
                _model_item(_("Groups"), "group", "auth", "group"),
                _model_item(_("API keys"), "key", "accounts", "apikey"),
                _model_item(_("Audit log"), "history", "accounts", "auditentry"),
            ],
        },
    ]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the admin. model: whose list it is, "" for another page."""

    title: str
    url: str
    icon: str
    model: str


# Pages that others lead to.
_FURTHER_PAGES: tuple[dict[str, Any], ...] = (
    {
        "title": _("Import products"),
        "icon": "upload_file",
        "link": reverse_lazy("admin:catalog_product_import_catalogue"),
        "permission": lambda request: request.user.has_perms(IMPORT_PERMISSIONS),
    },
    {
        "title": _("Train a ranker"),
        "icon": "school",
        "link": reverse_lazy("admin:train_ranker"),
        "permission": lambda request: request.user.has_perms(RANKER_PERMISSIONS),
    },
)


def pages(request: HttpRequest, *, permitted: bool = True) -> Iterator[Page]:
    """The pages that the side bar leads to, and further ones.

    Args:
        request: of the user.
        permitted: only those that the user may open.

    Yields:
        The pages, in the order of the side bar.
    """
    linked = [item for group in navigation(request) for item in group["items"]]
    for item in (*linked, *_FURTHER_PAGES):
        if not permitted or item.get("permission", _always)(request):
            yield Page(str(item["title"]), str(item["link"]), item["icon"], item.get("model", ""))


def _always(_request: HttpRequest) -> bool:
    return True


# Lists that are looked at together have tabs.
_TABS = (
    (("catalog", "product", _("Products")), ("catalog", "category", _("Categories"))),
    (
        ("embeddings", "collection", _("Collections")),
        ("embeddings", "encoderversion", _("Encoder versions")),
        ("embeddings", "rankerversion", _("Ranker versions")),
        ("embeddings", "imageembedding", _("Image embeddings")),
    ),
    (("recommender", "ruleset", _("Rule sets")), ("recommender", "rule", _("Rules"))),
    (
        ("accounts", "user", _("Users")),
        ("auth", "group", _("Groups")),
        ("accounts", "apikey", _("API keys")),
        ("accounts", "auditentry", _("Audit log")),
    ),
)


def tabs(_request: HttpRequest) -> list[dict[str, Any]]:
    """The tabs above lists. The setting UNFOLD names `tabs`.

    Returns:
        Groups as unfold expects them, each with the models whose lists show it.
    """
    return [
        {
            "models": [f"{app}.{model}" for app, model, _title in group],
            "items": [
                {
                    "title": title,
                    # A callable: for a link that the side bar has, too, unfold would mark all of the group as the current page.
                    "link": partial(_list_url, app, model),
                    "permission": _any_permission(f"{app}.view_{model}", f"{app}.change_{model}"),
                }
                for app, model, title in group
            ],
        }
        for group in _TABS
    ]


def _list_url(app: str, model: str, _request: HttpRequest) -> str:
    return reverse(f"admin:{app}_{model}_changelist")


def _model_item(title: Promise, icon: str, app: str, model: str) -> dict[str, Any]:
    """A link to a model's list, for users who may view or change its rows."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "model": f"{app}.{model}",
        "permission": _any_permission(f"{app}.view_{model}", f"{app}.change_{model}"),
    }


def _any_permission(*permissions: str) -> Callable[[HttpRequest], bool]:
    """A check that passes for users with at least one of these permissions."""
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)
