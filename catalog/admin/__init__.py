"""The catalogue's admin: a module for each thing that a manager edits."""

from catalog.admin import categories, feeds, imports, products

__all__ = ["categories", "feeds", "imports", "products"]
