"""Feeds: a file of products at an address, which is fetched and imported again and again."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

NAME_LENGTH = 80
ADDRESS_LENGTH = 2000
MAX_HOURS = 168
ETAG_LENGTH, LAST_MODIFIED_LENGTH = 500, 100


class FeedSchedule(models.TextChoices):
    """When a feed is fetched by itself."""

    HOURS = "hours", _("every few hours")
    DAILY = "daily", _("once a day")


class Feed(models.Model):
    """A file of products at an address.

    Attributes:
        credentials: user name and password of Basic authentication, sealed; "" without them.
        options: fields of ImportOptions, plain JSON.
        at_hour: of the time zone of the settings.
        active: whether it is fetched by itself.
        etag: of the file that was imported last; "" if another one may have the same.
        last_modified: the same.
        next_run_at: when it is due; None where it is not fetched by itself.
        last_job: its last import; what was only tried out does not count.
    """

    name = models.CharField(_("name"), max_length=NAME_LENGTH, unique=True)
    address = models.CharField(_("address"), max_length=ADDRESS_LENGTH)
    credentials = models.TextField(blank=True, editable=False)
    options = models.JSONField(_("options"), default=dict, blank=True)
    schedule = models.CharField(_("schedule"), max_length=10, choices=FeedSchedule.choices, default=FeedSchedule.DAILY)
    every_hours = models.PositiveSmallIntegerField(
        _("hours between imports"), default=6, validators=[MinValueValidator(1), MaxValueValidator(MAX_HOURS)]
    )
    at_hour = models.PositiveSmallIntegerField(_("hour of the day"), default=3, validators=[MaxValueValidator(23)])
    active = models.BooleanField(_("active"), default=True)
    etag = models.CharField(max_length=ETAG_LENGTH, blank=True, editable=False)
    last_modified = models.CharField(max_length=LAST_MODIFIED_LENGTH, blank=True, editable=False)
    next_run_at = models.DateTimeField(_("next import"), null=True, blank=True, editable=False, db_index=True)
    last_job = models.ForeignKey(
        "jobs.Job",
        verbose_name=_("last import"),
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")
        default_permissions = ()
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
