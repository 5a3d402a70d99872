"""What recommendations bring: the report on visitor events, with a line for each type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from recommender.dashboard import EVENTS_CACHE_S
from recommender.visitor_report import PERIODS, Series, VisitorReport, visitor_report

if TYPE_CHECKING:
    from recommender.admin.site import AdminSite

# Of a line's drawing, in the units of its own coordinates.
WIDTH, HEIGHT = 600, 120
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A series as it is drawn. points: for an SVG polyline."""

    series: Series
    most: int
    points: str


def may_see_visitors(request: HttpRequest) -> bool:
    """Whether the user may see or change events."""
    return request.user.has_perm("recommender.view_event") or request.user.has_perm("recommender.change_event")


@require_safe
def visitors(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The page of a period: `days`, 28 by default.

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
    cached = caches["process"].get_or_set(f"visitors:{days}", lambda: visitor_report(days), EVENTS_CACHE_S)
    report = cast("VisitorReport", cached)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("What recommendations bring"),
        "periods": PERIODS,
        "chosen": days,
        "report": report,
        "has_events": any(each.total for each in report.series),
        "lines": [_line(each) for each in report.series],
        "by_day": [
            (day, [each.counts[place] for each in report.series]) for place, day in reversed([*enumerate(report.days)])
        ],
        "width": WIDTH,
        "height": HEIGHT,
    }
    return render(request, "admin/recommender/visitors.html", context)


def _line(series: Series) -> Line:
    most = max(series.counts)
    return Line(series, most, _points(series.counts, most))


def _points(counts: Sequence[int], most: int) -> str:
    step = WIDTH / max(1, len(counts) - 1)
    room = HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{place * step:.1f},{HEIGHT - _MARGIN - room * count / max(most, 1):.1f}" for place, count in enumerate(counts)
    )
