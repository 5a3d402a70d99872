"""Parts of the admin pages of all apps: badges, tables, filters, and read-only lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextInputWidget

# Databases limit the number of parameters of a statement.
CHUNK_SIZE = 1000


def chunked(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Split ids into chunks that fit into one statement.

    Args:
        ids: Primary keys.

    Yields:
        At most CHUNK_SIZE of them at a time, in order.
    """
    for start in range(0, len(ids), CHUNK_SIZE):
        yield ids[start : start + CHUNK_SIZE]


def primary_keys(rows: QuerySet[Any]) -> list[int]:
    """The primary keys of rows.

    Args:
        rows: A queryset; its order is dropped.

    Returns:
        The primary keys in no particular order.
    """
    return list(rows.order_by().values_list("pk", flat=True))


class SelectFilter(DropdownFilter):
    """A list filter as a dropdown, which stays small with thousands of choices."""

    template = "admin/accounts/select_filter.html"


class PeriodForm(forms.Form):
    """Two days.

    Args:
        name: Of the field that is filtered, which begins the names of both parameters.
    """

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for end, label in (("from", _("From")), ("to", _("Until"))):
            widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
            self.fields[f"{name}_{end}"] = forms.DateField(label=label, required=False, widget=widget)


class PeriodFilter(RangeDateFilter):
    """A list filter from a day until another one, both whole, in the shop's time zone."""

    form_class = PeriodForm
    template = "admin/accounts/period_filter.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        form = PeriodForm(self.field_path, self.used_parameters)
        form.is_valid()
        first, last = (form.cleaned_data.get(f"{self.field_path}_{end}") for end in ("from", "to"))
        conditions = {}
        if first is not None:
            conditions[f"{self.field_path}__gte"] = _midnight(first)
        if last is not None:
            conditions[f"{self.field_path}__lt"] = _midnight(last + timedelta(days=1))
        return queryset.filter(**conditions)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


class PrefetchingChangeList(ChangeList):
    """A changelist that reads related data once per page, instead of once per row or for all rows."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """Read the page's rows, and have the admin class prefetch what they show."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.model_admin.prefetch_rows(self.result_list)


@dataclass(frozen=True, slots=True)
class Badge:
    """A coloured word.

    Attributes:
        text: The word.
        variant: success, info, warning, danger or default.
        reason: Shown in full below the word.
    """

    text: str
    variant: str
    reason: str = ""


def badges(shown: Iterable[Badge]) -> SafeString:
    """Render badges side by side.

    Args:
        shown: The badges in order.

    Returns:
        HTML.
    """
    return render_to_string("admin/accounts/badges.html", {"badges": list(shown)})


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    """Render a table.

    Args:
        headers: Column headers; empty: the first column is the header of each row.
        rows: Cells of each row.

    Returns:
        HTML.
    """
    return render_to_string("admin/accounts/table.html", {"headers": headers, "rows": rows})


def with_interval(mean: float, interval: tuple[float, float] | None, *, signed: bool = False) -> str:
    """A figure, and where its confidence interval lies.

    Args:
        mean: The figure.
        interval: The lower and the upper end; None leaves them out.
        signed: Whether a plus sign is written, as for a difference.

    Returns:
        The numbers with three decimals.
    """
    sign = "+" if signed else ""
    if interval is None:
        return f"{mean:{sign}.3f}"
    numbers = {"mean": mean, "low": interval[0], "high": interval[1]}
    return gettext("%(mean)s (%(low)s to %(high)s)") % {name: f"{each:{sign}.3f}" for name, each in numbers.items()}


def sentence(error: Exception | str) -> str:
    """An error as a sentence.

    Args:
        error: The error, or its text; it begins with a small letter and has no full stop.

    Returns:
        Its text, with both.
    """
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


class ReadOnlyAdmin(ModelAdmin):
    """A read-only list of rows that only code writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PrefetchingChangeList]:  # noqa: ARG002
        return PrefetchingChangeList

    def prefetch_rows(self, rows: Sequence[Any]) -> None:
        """Read what the list shows besides the rows' own fields.

        Args:
            rows: The rows of one page.
        """

    class Media:
        css = {"all": ("accounts/admin.css",)}
