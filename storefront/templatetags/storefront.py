"""Template filters and tags of the storefront: prices, thumbnails and structured data."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django import template
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe

from catalog.models import Product, ProductImage
from catalog.money import money
from catalog.thumbnails import thumbnail_url
from product_files.values.currencies import decimals

register = template.Library()
register.filter(money)

# A script element ends at the first "</script", even inside a JSON string.
_AS_JSON = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@register.filter
def thumbnail(name: str, side: int) -> str:
    """URL of a photo's thumbnail."""
    return thumbnail_url(name, side)


@register.filter
def absolute(url: str, request: HttpRequest) -> str:
    """The URL with scheme and host."""
    return request.build_absolute_uri(url)


@register.simple_tag
def structured_data(request: HttpRequest, product: Product, images: Sequence[ProductImage]) -> SafeString:
    """A schema.org Product as a JSON-LD script element. Content security policies do not apply to data blocks."""
    described = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "sku": product.sku,
        "url": request.build_absolute_uri(product.get_absolute_url()),
        "image": [request.build_absolute_uri(image.file.url) for image in images],
        **({"description": product.description} if product.description else {}),
        **({"brand": {"@type": "Brand", "name": product.brand}} if product.brand else {}),
    }
    if product.price is not None:
        described["offers"] = {
            "@type": "Offer",
            "price": f"{product.price:.{decimals(product.currency)}f}",
            "priceCurrency": product.currency,
            "availability": f"https://schema.org/{'InStock' if product.available else 'OutOfStock'}",
        }
    data = json.dumps(described, ensure_ascii=False).translate(_AS_JSON)
    return mark_safe(f'<script type="application/ld+json">{data}</script>')  # noqa: S308 - the JSON cannot end the element
