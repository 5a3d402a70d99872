"""What a build of an index has written of the rows that changed lately, so that the next pass writes none of them again.

A change is stamped when its statement runs and is seen when its transaction commits. So each pass looks at the rows of the last
`COMMIT_LAG` before the one before it once more, and most of those it has written already.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Now

from embeddings.models import EncoderVersion

# How long a transaction may take from the statement that stamps a change to its commit.
COMMIT_LAG = timedelta(seconds=30)
# Rows whose states are kept, 24 bytes each. Of more, the others are written once more by the next pass.
STATES_KEPT = 1_000_000
_BATCH = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RowState(NamedTuple):
    """A row of the outbox by what each change of it changes."""

    pk: int
    revision: int
    changed_at: datetime


class WrittenStates:
    """The states in which a pass wrote the rows that changed since a time.

    A state is noted before what is written is read: that can be newer, and is then written once more.

    Attributes:
        since: the next pass has to look at rows that changed since then.
    """

    def __init__(self, since: datetime) -> None:
        self.since = since
        # By ascending key.
        self._keys, self._revisions, self._times = array("q"), array("q"), array("q")

    def note(self, states: Sequence[RowState]) -> None:
        """Remember states, but those that the next pass does not look at.

        Args:
            states: by ascending key, above all keys before.
        """
        for key, revision, changed_at in states:
            if changed_at >= self.since and len(self._keys) < STATES_KEPT:
                self._keys.append(key)
                self._revisions.append(revision)
                self._times.append(_microseconds(changed_at))

    def missing(self, states: Sequence[RowState]) -> list[int]:
        """The keys of those rows that were not written in these states."""
        return [state.pk for state in states if not self._has(state)]

    def _has(self, state: RowState) -> bool:
        at = bisect_left(self._keys, state.pk)
        return at < len(self._keys) and (self._keys[at], self._revisions[at], self._times[at]) == (
            state.pk,
            state.revision,
            _microseconds(state.changed_at),
        )


def begin_pass() -> WrittenStates:
    """Nothing written yet by a pass that begins now, by the clock that stamps changes."""
    now: datetime = EncoderVersion.objects.annotate(now=Now()).values_list("now", flat=True)[:1].get()
    return WrittenStates(now - COMMIT_LAG)


def begin_first_pass(rows: QuerySet[Any]) -> WrittenStates:
    """What a pass that begins now writes, which is all rows.

    Args:
        rows: of an outbox.

    Returns:
        The states of those that the next pass looks at.
    """
    now = begin_pass()
    for states in states_since(rows, now.since):
        now.note(states)
    return now


def keys_to_write(rows: QuerySet[Any], before: WrittenStates, now: WrittenStates) -> Iterator[list[int]]:
    """The rows that a later pass writes: those in a state that the pass before has not written.

    Args:
        rows: of an outbox.
        before: the pass before.
        now: this one; notes what it looks at.

    Yields:
        Keys of some of them, in ascending order.
    """
    for states in states_since(rows, before.since):
        now.note(states)
        if missing := before.missing(states):
            yield missing


def states_since(rows: QuerySet[Any], since: datetime) -> Iterator[list[RowState]]:
    """Read the states of rows.

    Args:
        rows: of an outbox.
        since: those that changed since then.

    Yields:
        Some of them, by ascending key.
    """
    last = 0
    rows = rows.filter(changed_at__gte=since).order_by("pk").values_list(*RowState._fields)
    while batch := [*map(RowState._make, rows.filter(pk__gt=last)[:_BATCH])]:
        yield batch
        last = batch[-1].pk


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND
