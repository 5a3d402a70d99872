"""The kinds of job: each is registered by the app that owns the work, in its `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from django.utils.text import capfirst

from jobs import metrics

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.functional import Promise
    from django.utils.safestring import SafeString

    from accounts.keys import Scope
    from jobs.models import Job


@dataclass(frozen=True, slots=True)
class JobPage:
    """What the admin's page of a job knows about its kind.

    Attributes:
        stages: labels of the stages that the kind's command reports.
        labels: labels of its parameters and of the members of its result.
        result_members: members of the result that are shown, if the result has them, in this order.
        result_tables: more tables for a job that has succeeded, each a heading and a table.
        template: included below the tables of a job that has succeeded; "" for none.
        context: for a job that has succeeded, the variable `kind_context` of that template.
        unsuccessful_context: the same for a job that has failed or was cancelled, which has the template only with this.
    """

    stages: Mapping[str, Promise] = field(default_factory=dict)
    labels: Mapping[str, Promise] = field(default_factory=dict)
    result_members: Sequence[str] = ()
    result_tables: Callable[[Job], Sequence[tuple[str, SafeString]]] | None = None
    template: str = ""
    context: Callable[[HttpRequest, Job], Mapping[str, Any]] | None = None
    unsuccessful_context: Callable[[HttpRequest, Job], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The files of a kind's jobs in the store of uploads.

    Attributes:
        suffixes: how the names of its files end; files with other names are never deleted.
        keeps_upload: whether a job that has ended keeps its upload; None: none does.
        retained: names of files that are still needed although their job has ended; None: none is.
    """

    suffixes: Sequence[str]
    keeps_upload: Callable[[Job], bool] | None = None
    retained: Callable[[], Iterable[str]] | None = None


def default_title(job: Job) -> str:
    """The title of a job whose kind has no other: its kind and its collection."""
    label = capfirst(str(job.registered_kind.label))
    return f"{label}: {job.collection}" if job.collection else label


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job.

    Attributes:
        name: as in the database and the API, at most 12 characters.
        label: for users.
        noun: with its article, for messages, marked for translation: "a training".
        command: the management command that executes a job of this kind; it takes `--job ID`.
        scope: the scope that an API key needs to cancel such a job.
        queue: where its jobs wait, for a worker or without a broker for a thread; "train" for work that may take hours.
        needs_collection: whether each job is for one collection.
        files: the files that are sent for its jobs; None: nothing is sent.
        permissions: staff who have all of these see and cancel jobs of this kind without permissions on jobs.
        title: what one of its jobs does, for users.
        on_cancelled: called when one of its jobs was cancelled, and again when its process has ended; None: nothing is left.
        has_mean_rate: whether `done` of an ended job counts all of its work, so that done per second is its mean rate.
        page: what its page in the admin shows.
    """

    name: str
    label: Promise
    noun: str
    command: str
    scope: Scope
    queue: Literal["jobs", "train"] = "jobs"
    needs_collection: bool = True
    files: JobFiles | None = None
    permissions: Sequence[str] = ()
    title: Callable[[Job], str] = default_title
    on_cancelled: Callable[[Job], None] | None = None
    has_mean_rate: bool = False
    page: JobPage = field(default_factory=JobPage)


class KindRegistry:
    """Kinds of job by name, in the order of their registration."""

    def __init__(self) -> None:
        self._kinds: dict[str, JobKind] = {}

    def __iter__(self) -> Iterator[JobKind]:
        return iter(self._kinds.values())

    def register(self, kind: JobKind) -> None:
        """Add a kind.

        Args:
            kind: a kind whose name is not taken.

        Raises:
            ValueError: another kind has this name.
        """
        if kind.name in self._kinds:
            raise ValueError(f"there is a kind of job {kind.name!r} already")
        self._kinds[kind.name] = kind
        metrics.create_series(kind.name)

    def get(self, name: str) -> JobKind:
        """The kind of this name.

        Args:
            name: as in `Job.kind`.

        Returns:
            The kind.

        Raises:
            KeyError: no installed app has registered it.
        """
        return self._kinds[name]

    def choices(self) -> list[tuple[str, Promise]]:
        """Names and labels, for `Job.kind`."""
        return [(kind.name, kind.label) for kind in self]

    def queues(self) -> list[str]:
        """The queues of all kinds."""
        return list(dict.fromkeys(kind.queue for kind in self))

    def names_in(self, queue: str) -> list[str]:
        """The names of the kinds whose jobs wait in this queue."""
        return [kind.name for kind in self if kind.queue == queue]


kinds = KindRegistry()
