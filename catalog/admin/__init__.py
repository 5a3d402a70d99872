"""The catalogue's admin: a module for each thing that a manager edits."""

from catalog.admin import categories, imports, products

__all__ = ["categories", "imports", "products"]
