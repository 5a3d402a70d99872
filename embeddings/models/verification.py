"""Comparisons of an index with the database that were asked for, and their results."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from embeddings.models.versions import EncoderVersion


class VerificationRequest(models.Model):
    """A comparison of a live index with the database that waits for the process that holds the index, and then its result.

    Attributes:
        done: rows that were compared.
        total: rows that there are.
        missing: see VerificationReport; like the next two None until it has ended.
        error: why it failed; "" if it did not.
    """

    version = models.ForeignKey(EncoderVersion, on_delete=models.CASCADE, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(null=True)
    stale = models.PositiveIntegerField(null=True)
    orphaned = models.PositiveIntegerField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = _("verification request")
        verbose_name_plural = _("verification requests")
        default_permissions = ()
        constraints = [
            # Two commands that ask at once wait for the same comparison.
            models.UniqueConstraint(
                fields=("version",), condition=models.Q(finished_at=None), name="verification_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.finished_at or 'open'}"
