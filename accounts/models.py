"""Users, API keys and the audit log."""

from __future__ import annotations

import re

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person who may sign in; a model of our own from the first migration on, so that fields can be added."""


_ORIGIN = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?")


def validate_origins(text: str) -> None:
    """Check origins as browsers send them.

    Args:
        text: One origin per line.

    Raises:
        ValidationError: A line is not an origin, or has the default port of its scheme.
    """
    for line in text.split():
        if not _ORIGIN.fullmatch(line):
            raise ValidationError(
                _("%(line)s is not an origin: use https://shop.example, in lower case and without a path"),
                params={"line": line},
            )
        if line.endswith((":443", ":80")) and (line.startswith("https:") == line.endswith(":443")):
            raise ValidationError(
                _("%(line)s has the default port, which browsers omit: leave it out"),
                params={"line": line},
            )


class ApiKey(models.Model):
    """A key of the API.

    A publishable key is in a shop's pages, where everybody can read it: it can only read and send events, from pages of its
    origins if it has any. A secret key is for a shop's servers; it can also write within its scopes.

    Attributes:
        prefix: First characters of the key, which identify it in lists and messages.
        digest: SHA-256 of the key, in hex.
        origins: Origins of the pages that may use it, one per line.
    """

    class Kind(models.TextChoices):
        """Whether a key may be visible in a page."""

        PUBLISHABLE = "publishable", _("publishable: for pages, read-only")
        SECRET = "secret", _("secret: for servers")

    PREFIXES = {Kind.PUBLISHABLE: "pk_", Kind.SECRET: "sk_"}

    name = models.CharField(
        _("name"), max_length=100, help_text=_("Purpose of the key, e.g. Shop pages or Nightly import.")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.PUBLISHABLE)
    prefix = models.CharField(_("prefix"), max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    origins = models.TextField(
        _("origins"),
        blank=True,
        validators=[validate_origins],
        help_text=_(
            "For publishable keys: allowed origins, one per line, e.g. https://shop.example. Empty: any origin."
        ),
    )
    may_import = models.BooleanField(
        _("may import"), default=False, help_text=_("Secret keys only: may import catalogues.")
    )
    may_train = models.BooleanField(_("may train"), default=False, help_text=_("Secret keys only: may train encoders."))
    requests_per_minute = models.PositiveIntegerField(
        _("requests per minute"), null=True, blank=True, help_text=_("Empty: the server default.")
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
        """The origins as a list."""
        return self.origins.split()

    @property
    def is_valid(self) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def clean(self) -> None:
        """Check that the fields fit the kind of the key.

        Raises:
            ValidationError: A publishable key has scopes, a secret key has origins, or the rate limit is 0.
        """
        errors: dict[str, str] = {}
        if self.kind == self.Kind.PUBLISHABLE:
            for field in ("may_import", "may_train"):
                if getattr(self, field):
                    errors[field] = str(
                        _("Publishable keys are read-only because anyone can see them. Use a secret key.")
                    )
        elif self.origins.strip():
            errors["origins"] = str(_("Secret keys are not used in pages and have no origins."))
        if self.requests_per_minute == 0:
            errors["requests_per_minute"] = str(_("A limit of 0 makes the key useless. Revoke it instead."))
        if errors:
            raise ValidationError(errors)


class AuditEntry(models.Model):
    """One requested change and its result. Written by `accounts.audit`, and never changed.

    Attributes:
        actor: A user's name, "key sk_…", or "nobody" for a request without a key.
        action: What was requested, e.g. `api:train` or `admin:catalog_product_change`.
        target: Path of the request.
        status: HTTP status of the response.
    """

    created_at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    actor = models.CharField(_("actor"), max_length=200)
    action = models.CharField(_("action"), max_length=120)
    target = models.CharField(_("path"), max_length=300, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    remote_address = models.CharField(_("IP address"), max_length=45, blank=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.actor}: {self.action}"
