"""Product ids in URLs."""

from catalog.errors import ProductNotFound

_MAX_ID = 2**63 - 1


def validate_product_id(product_id: int) -> int:
    """Check that a database can hold an id; otherwise a query with it would fail.

    Args:
        product_id: From the URL, which can contain any number of digits.

    Returns:
        The id.

    Raises:
        ProductNotFound: The id is too large.
    """
    if product_id > _MAX_ID:
        raise ProductNotFound(product_id)
    return product_id
