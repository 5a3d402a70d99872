"""What the pages of this service share: badges, tables, and lists that are only to be looked at."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts.admin.display import Badge, ReadOnlyAdmin
from embeddings.models import ImageEmbedding
from jobs.facts import in_words

State = ImageEmbedding.State
# OUTDATED is in the index and found; only its details are on their way.
WAITING = (State.PENDING, State.EMBEDDED, State.OUTDATED, State.REMOVED)
VARIANTS = {State.INDEXED: "success", State.FAILED: "danger", State.REMOVED: "default"}


def state_badge(row: ImageEmbedding, *, named: bool = True) -> Badge:
    """A row's state, with the reason of a failure. named: with the encoder version's name."""
    label = State(row.state).label
    text = f"{row.version.label}: {label}" if named else str(label)
    return Badge(text, VARIANTS.get(State(row.state), "info"), in_words(row.error_fact, row.error))


class ReviewAdmin(ReadOnlyAdmin):
    """One page of proposals instead of a list of rows. Staff who may change products decide on them."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Who may decide may see what there is to decide."""
        return request.user.has_perm("catalog.change_product")
