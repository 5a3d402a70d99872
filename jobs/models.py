"""A job: long work, its state and its result."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import models
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from jobs.facts import in_words
from jobs.registry import JobKind, kinds
from jobs.states import ACTIVE_STATES, JobState


def kind_choices() -> list[tuple[str, Promise]]:
    """The registered kinds of job."""
    return kinds.choices()


class Job(models.Model):
    """Long work that somebody waits for.

    Attributes:
        kind: name of a registered kind.
        collection: slug of the collection that it is for; "" for work on the whole catalogue.
        parameters: what was asked for, plain JSON.
        upload: name of the uploaded file in the store of uploads; "" when there is none, or none is needed any more.
        checkpoint: where the work goes on after an interruption, plain JSON; None at the beginning.
        submitted_by: as in AuditEntry.actor; "" where nobody is known.
        heartbeat_at: written by the process that runs the job, to renew its lease.
    """

    State = JobState

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=12, choices=kind_choices)
    collection = models.SlugField(_("collection"), max_length=60, blank=True, db_index=False)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    upload = models.CharField(_("upload"), max_length=200, blank=True)
    submitted_by = models.CharField(_("submitted by"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=JobState.choices, default=JobState.QUEUED)
    stage = models.CharField(_("stage"), max_length=60, blank=True)
    done = models.PositiveIntegerField(_("done"), default=0)
    total = models.PositiveIntegerField(_("total"), default=0)
    checkpoint = models.JSONField(_("checkpoint"), null=True, blank=True, editable=False)
    result = models.JSONField(_("result"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    # What the error says, as jobs/facts.py keeps it; null where that is not known.
    error_fact = models.JSONField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last heartbeat"), null=True, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("-created_at",)
        indexes = [models.Index(fields=("state", "created_at"), name="job_queue")]
        constraints = [
            # Of a kind without collections, whose slug is empty, there is one active job altogether.
            models.UniqueConstraint(
                fields=("collection", "kind"),
                condition=models.Q(state__in=("queued", "running")),
                name="job_one_at_a_time",
                violation_error_message=_("A job of this kind is already active for this collection."),
            )
        ]

    def __str__(self) -> str:
        when = date_format(localtime(self.created_at), "DATETIME_FORMAT")
        return gettext("%(job)s, %(when)s") % {"job": self.title, "when": when}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row.

        Args:
            *args: Django's.
            **kwargs: Django's.

        Raises:
            ValueError: its kind needs a collection and it has none, or its kind has none and it has one.
        """
        if bool(self.collection) != self.registered_kind.needs_collection:
            raise ValueError(f"a job of kind {self.kind} with the collection {self.collection!r}")
        super().save(*args, **kwargs)

    @property
    def registered_kind(self) -> JobKind:
        """Its kind. Raises KeyError for one that no installed app registers."""
        return kinds.get(self.kind)

    @property
    def title(self) -> str:
        """What it does, for users: "Import of spring.csv, dry run"."""
        return self.registered_kind.title(self)

    @property
    def error_in_words(self) -> str:
        """The error in the active language, as far as it is known what it says."""
        return in_words(self.error_fact, self.error)

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state not in ACTIVE_STATES
