"""What the matcher learnt from decisions about pairs of products."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class MatchCoefficients(models.Model):
    """Coefficients of the matcher that were fitted on what this shop decided about pairs; the latest count.

    Attributes:
        values: by feature, see `embeddings.matching.features`.
        pairs: how many decided pairs they were fitted on.
    """

    values = models.JSONField(_("coefficients"))
    pairs = models.PositiveIntegerField(_("pairs"))
    fitted_at = models.DateTimeField(_("fitted"), auto_now_add=True)

    class Meta:
        verbose_name = _("coefficients of the matcher")
        verbose_name_plural = _("coefficients of the matcher")
        default_permissions = ()

    def __str__(self) -> str:
        return f"fitted on {self.pairs} pairs"
