"""What the pages of this service share: badges, tables, and lists that are only to be looked at."""

from __future__ import annotations

from accounts.admin.display import Badge
from embeddings.models import ImageEmbedding

State = ImageEmbedding.State
# OUTDATED is in the index and found; only its details are on their way.
WAITING = (State.PENDING, State.EMBEDDED, State.OUTDATED, State.REMOVED)
VARIANTS = {State.INDEXED: "success", State.FAILED: "danger", State.REMOVED: "default"}


def state_badge(row: ImageEmbedding, *, named: bool = True) -> Badge:
    """A row's state, with the reason of a failure. named: with the encoder version's name."""
    label = State(row.state).label
    text = f"{row.version.label}: {label}" if named else str(label)
    return Badge(text, VARIANTS.get(State(row.state), "info"), row.error)
