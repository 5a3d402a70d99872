"""The tree of categories."""

from __future__ import annotations

from functools import lru_cache

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

CATEGORY_PATH_LENGTH = 500


class Category(models.Model):
    """A node of the category tree. `path` holds the slugs from the root down: `clothing/shirts`."""

    parent = models.ForeignKey(
        "self", verbose_name=_("parent"), null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=120, allow_unicode=True)
    path = models.CharField(_("path"), max_length=CATEGORY_PATH_LENGTH, unique=True, editable=False)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ("path",)
        constraints = [
            models.CheckConstraint(condition=models.Q(path__length__gt=0), name="category_path_not_empty"),
        ]

    def __str__(self) -> str:
        return self.path

    def clean(self) -> None:
        """Refuse a category that would be its own ancestor."""
        ancestor = self.parent
        while ancestor is not None:
            if ancestor.pk is not None and ancestor.pk == self.pk:
                raise ValidationError({"parent": _("A category cannot be below itself.")})
            ancestor = ancestor.parent

    @property
    def lineage(self) -> list[str]:
        """Paths of the category and all its ancestors, root first."""
        return lineage(self.path)


def lineage(path: str) -> list[str]:
    """`a/b/c` -> `["a", "a/b", "a/b/c"]`; nothing for an empty path."""
    return [*_lineage(path)]


# Many products have the same.
@lru_cache(maxsize=4096)
def _lineage(path: str) -> tuple[str, ...]:
    parts = path.split("/") if path else []
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))
