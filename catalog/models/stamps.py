"""Numbers that change with the catalogue."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Stamp(models.Model):
    """A part of a topic's stamp, written by the database alone: see `catalog.stamps`."""

    topic = models.CharField(max_length=20)
    value = models.BigIntegerField()

    class Meta:
        verbose_name = _("stamp")
        verbose_name_plural = _("stamps")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.topic}: {self.value}"
