"""What recommendations bring: the report on visitor events, with a line for each type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from unfold.sites import UnfoldAdminSite

from embeddings.models import Collection
from recommender.dashboard import EVENTS_CACHE_S
from recommender.visitor_report import PERIODS, Series, VisitorReport, visitor_report

# A chart of unfold's own: its colours follow the scheme, and its legend is the heading above it.
_OPTIONS = {
    "animation": False,
    "maintainAspectRatio": False,
    "interaction": {"mode": "index", "intersect": False},
    "plugins": {"legend": {"display": False}},
    "scales": {
        "x": {"grid": {"display": False}, "ticks": {"color": "#757d8a", "maxTicksLimit": 6, "maxRotation": 0}},
        "y": {"beginAtZero": True, "grid": {}, "ticks": {"color": "#757d8a", "precision": 0, "maxTicksLimit": 5}},
    },
}


@dataclass(frozen=True, slots=True)
class Line:
    """A series as it is drawn.

    Attributes:
        most: on a day.
        data: of the chart, as JSON.
    """

    series: Series
    most: int
    data: str


def may_see_visitors(request: HttpRequest) -> bool:
    """Whether the user may see or change events."""
    return request.user.has_perm("recommender.view_event") or request.user.has_perm("recommender.change_event")


@require_safe
def visitors(request: HttpRequest, site: UnfoldAdminSite) -> HttpResponse:
    """The page of a period: `days`, 28 by default; of a collection, `collection`, or all.

    Args:
        request: of a user who may see events.
        site: the admin site, for the context of its pages.

    Returns:
        The page.

    Raises:
        PermissionDenied: the user may not see events.
    """
    if not may_see_visitors(request):
        raise PermissionDenied
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, PERIODS) else PERIODS[1]
    slugs = list(Collection.objects.values_list("slug", flat=True))
    collection = request.GET.get("collection", "") if request.GET.get("collection") in slugs else ""
    key = f"visitors:{days}:{collection}"
    cached = caches["process"].get_or_set(key, lambda: visitor_report(days, collection), EVENTS_CACHE_S)
    report = cast("VisitorReport", cached)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("What recommendations bring"),
        "periods": PERIODS,
        "chosen": days,
        "collections": slugs if len(slugs) > 1 else [],
        "collection": collection,
        "report": report,
        "has_events": any(each.total for each in report.series),
        "lines": [_line(each, report.days) for each in report.series],
        "by_day": [
            (day, [each.counts[place] for each in report.series]) for place, day in reversed([*enumerate(report.days)])
        ],
        "options": json.dumps(_OPTIONS),
    }
    return render(request, "admin/recommender/visitors.html", context)


def _line(series: Series, days: Sequence[date]) -> Line:
    data = {
        "labels": [date_format(day, "MONTH_DAY_FORMAT") for day in days],
        "datasets": [
            {
                "label": str(series.kind.label),
                "data": list(series.counts),
                "borderColor": "var(--color-primary-600)",
                "borderWidth": 2,
                "pointRadius": 0,
                "pointHitRadius": 12,
            }
        ],
    }
    return Line(series, max(series.counts), json.dumps(data))
