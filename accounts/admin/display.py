"""What the admin pages of all apps share: badges, tables, filters, and lists that are read only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.views import ChangeList

# Databases take a limited number of parameters in one statement.
BATCH = 1000


def in_batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """These ids, as many at a time as one statement takes."""
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def ids_of(rows: QuerySet[Any]) -> list[int]:
    """The ids of these rows."""
    return list(rows.order_by().values_list("pk", flat=True))


class SelectFilter(DropdownFilter):
    """A list filter that stays small where there are thousands of choices."""

    template = "admin/catalog/select_filter.html"


class RowsChangeList(ChangeList):
    """A list that reads what its rows show once it knows which rows they are: for a page, not for a row or for all."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and let the admin class complete it."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.model_admin.complete_rows(self.result_list)


@dataclass(frozen=True, slots=True)
class Badge:
    """A coloured word. `variant`: success, info, warning, danger or default. `reason`: shown in full below."""

    text: str
    variant: str
    reason: str = ""


def badges(shown: Iterable[Badge]) -> SafeString:
    """These badges, side by side."""
    return render_to_string("admin/accounts/badges.html", {"badges": list(shown)})


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    """Rows of text below their headers; without headers the first column names the row."""
    return render_to_string("admin/accounts/table.html", {"headers": headers, "rows": rows})


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
        css = {"all": ("accounts/admin.css",)}
