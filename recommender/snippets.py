"""What a shop copies into its pages to show strips: the markup, the style sheet, the line for the content security policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings
from django.utils.html import escape

from rest.addresses import absolute

SCRIPT = "/widget/v1/similar.js"


@dataclass(frozen=True, slots=True)
class StripOptions:
    """What a strip shows; "", None and False leave it to the widget.

    Attributes:
        heading: above the strip.
        limit: number of products.
        collection: slug.
        category: path; products of other categories are left out.
        brand: of the products.
        min_price: lowest price.
        max_price: highest price.
        available: whether only products in stock are shown.
        api_key: text of a publishable key.
        colours: values of custom properties by their names.
    """

    heading: str = ""
    limit: int | None = None
    collection: str = ""
    category: str = ""
    brand: str = ""
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    available: bool = False
    api_key: str = ""
    colours: Mapping[str, str] = field(default_factory=dict)

    def attributes(self) -> dict[str, str]:
        """The attributes of the element, without the product's."""
        values = {
            "heading": self.heading,
            "limit": self.limit,
            "collection": self.collection,
            "category": self.category,
            "brand": self.brand,
            "min-price": self.min_price,
            "max-price": self.max_price,
            "available": "true" if self.available else "",
            "api-key": self.api_key,
        }
        return {name: str(value) for name, value in values.items() if value not in ("", None)}


def markup(base: str, sku: str, options: StripOptions) -> str:
    """The lines for a product page.

    Args:
        base: address of this server's root.
        sku: of the product.
        options: what the strip shows.

    Returns:
        HTML.
    """
    attributes = "".join(
        f' {name}="{escape(value)}"' for name, value in {"sku": sku, **options.attributes()}.items() if value
    )
    return (
        f'<script type="module" src="{escape(base + SCRIPT)}"></script>\n'
        f"<similar-products{attributes}></similar-products>"
    )


def style_sheet(options: StripOptions) -> str:
    """The lines for the shop's style sheet; "" where no colour was chosen."""
    if not options.colours:
        return ""
    lines = "".join(f"  {name}: {value};\n" for name, value in options.colours.items())
    return f"similar-products {{\n{lines}}}"


def content_policy(base: str) -> str:
    """What a page's content security policy has to allow, beside what it has already.

    Args:
        base: address of this server's root.

    Returns:
        Directives with their sources.
    """
    server = origin_of(base)
    photos = dict.fromkeys((server, origin_of(media_address(base))))
    return f"script-src {server}; connect-src {server}; img-src {' '.join(photos)}"


def media_address(base: str) -> str:
    """Where photos are loaded from."""
    return absolute(base, settings.MEDIA_URL)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as a browser writes an origin."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].lower()
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{host.removesuffix(default) if default else host}"
