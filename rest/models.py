"""Answers that are kept, so that a request that is sent again is not done again."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

KEY_LENGTH = 255


class IdempotentRequest(models.Model):
    """A request with an Idempotency-Key that was done, and its answer.

    Attributes:
        caller: who sent it, as `rest.idempotency` names callers.
        key: the Idempotency-Key.
        fingerprint: SHA-256 of method, URL and content.
        body: JSON, or "".
        location: the header, or "".
    """

    caller = models.CharField(_("caller"), max_length=40)
    key = models.CharField(_("key"), max_length=KEY_LENGTH)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), default=0)
    body = models.TextField(_("body"), blank=True)
    location = models.TextField(_("location"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("idempotent request")
        verbose_name_plural = _("idempotent requests")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=("caller", "key"), name="idempotent_request_once")]

    def __str__(self) -> str:
        return self.key
