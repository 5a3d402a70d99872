"""What the pages of this service share: badges, tables, and lists that are only to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from catalog.admin import RowsChangeList
from embeddings.models import ImageEmbedding, Job

State = ImageEmbedding.State
# OUTDATED is in the index and found; only its details are on their way.
WAITING = (State.PENDING, State.EMBEDDED, State.OUTDATED, State.REMOVED)
JOB_VARIANTS = {Job.State.SUCCEEDED: "success", Job.State.FAILED: "danger", Job.State.CANCELLED: "default"}
VARIANTS = {State.INDEXED: "success", State.FAILED: "danger", State.REMOVED: "default"}


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
    return Badge(text, VARIANTS.get(State(row.state), "info"), row.error)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    """Rows of text below their headers; without headers the first column names the row."""
    return render_to_string("admin/embeddings/table.html", {"headers": headers, "rows": rows})


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
