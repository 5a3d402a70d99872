"""Domain events, which the catalogue's services send inside their transaction to receivers in other apps."""

from django.dispatch import Signal

# product_ids: list[int] whose details (price, category, stock, active, ...) changed while their photos did not.
products_changed = Signal()

# product_ids: list[int] of products that are new; their photos follow.
products_added = Signal()

# product_ids: list[int] of products that are about to be deleted; their rows still exist.
products_removed = Signal()

# paths: list[str] of categories that an import has left without products. Receivers return a text for the report, or None.
categories_emptied = Signal()

# image_ids: list[int] of photos that are new, or whose content changed, or whether they are compared.
images_changed = Signal()

# image_ids: list[int] of photos that are about to be deleted; their rows still exist.
images_removed = Signal()
