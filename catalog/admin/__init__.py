"""The catalogue's admin: a module for each thing that a manager edits."""

from catalog.admin import categories, products

__all__ = ["categories", "products"]
