"""Who may sign in, who may call the API, and who changed what."""

from __future__ import annotations

import re

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """Somebody who may sign in; our own model from the first migration, so that it can grow."""


_ORIGIN = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?")


def validate_origins(text: str) -> None:
    """One origin a line, as browsers write it. Raises ValidationError."""
    for line in text.split():
        if not _ORIGIN.fullmatch(line):
            raise ValidationError(
                _("%(line)s is not an origin: write https://shop.example, in small letters and without a path"),
                params={"line": line},
            )
        if line.endswith((":443", ":80")) and (line.startswith("https:") == line.endswith(":443")):
            raise ValidationError(
                _("browsers leave out the port of %(line)s, which is the usual one: leave it out, too"),
                params={"line": line},
            )


class ApiKey(models.Model):
    """Who may call the API. `digest`: SHA-256 of the key, in hex; `prefix`: its first characters, to tell keys apart.

    A publishable key stands in a shop's pages, where everybody can read it: it reads, and from the pages of `origins` alone, one
    a line; none: from any page. A secret key is for a shop's servers; it reads, and may be let write.
    """

    class Kind(models.TextChoices):
        """Where a key may be seen."""

        PUBLISHABLE = "publishable", _("publishable: for pages, reads only")
        SECRET = "secret", _("secret: for servers")

    PREFIXES = {Kind.PUBLISHABLE: "pk_", Kind.SECRET: "sk_"}

    name = models.CharField(
        _("name"), max_length=100, help_text=_("What it is for, e.g. Shop pages or Nightly import.")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.PUBLISHABLE)
    prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    origins = models.TextField(
        _("origins"),
        blank=True,
        validators=[validate_origins],
        help_text=_(
            "Of a publishable key: the pages that may use it, as https://shop.example, one a line. Empty: any page."
        ),
    )
    may_import = models.BooleanField(_("may import"), default=False, help_text=_("Of a secret key: catalogues."))
    may_train = models.BooleanField(_("may train"), default=False, help_text=_("Of a secret key: encoders."))
    requests_per_minute = models.PositiveIntegerField(
        _("requests a minute"), null=True, blank=True, help_text=_("Empty: what the server allows every key.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("created by"), null=True, on_delete=models.SET_NULL, editable=False
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("revoked_at", "name", "pk")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def origin_list(self) -> list[str]:
        """The origins."""
        return self.origins.split()

    @property
    def is_good(self) -> bool:
        """Whether it is taken now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def clean(self) -> None:
        """Each kind has what is its own. Raises ValidationError."""
        errors: dict[str, str] = {}
        if self.kind == self.Kind.PUBLISHABLE:
            for field in ("may_import", "may_train"):
                if getattr(self, field):
                    errors[field] = str(_("A publishable key only reads, for everybody can see it: make a secret one."))
        elif self.origins.strip():
            errors["origins"] = str(_("A secret key is never in a page, and so has no origins."))
        if self.requests_per_minute == 0:
            errors["requests_per_minute"] = str(_("With none a minute the key is of no use: revoke it instead."))
        if errors:
            raise ValidationError(errors)


class AuditEntry(models.Model):
    """One change that somebody asked for, and what came of it. Written by the service, and never changed.

    `actor`: a user's name, "key sk_…", or "nobody" where no key was asked for. `action`: what was done, as `api:train` or
    `admin:catalog_product_change`. `status`: of the answer, HTTP.
    """

    created_at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    actor = models.CharField(_("who"), max_length=200)
    action = models.CharField(_("action"), max_length=120)
    target = models.CharField(_("address"), max_length=300, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    remote_address = models.CharField(_("from"), max_length=45, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.actor}: {self.action}"
