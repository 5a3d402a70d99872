"""Answers of shop systems' APIs: products as JSON with their variants within them. Each variant becomes a product, in a family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from product_files import row_facts
from product_files.containers.encodings import find_encoding
from product_files.json_files.api_systems import (
    akeneo,
    allegro,
    bigcommerce,
    cafe24,
    commercetools,
    ecwid,
    etsy,
    insales,
    magento,
    medusa,
    odoo,
    otto,
    ozon,
    saleor,
    salla,
    schema_org,
    shopee,
    shopware,
    square,
    squarespace,
    stripe,
    sylius,
    tiendanube,
    tradedoubler,
    trendyol,
    vendure,
    vtex,
    wildberries,
    wix,
    woocommerce,
)
from product_files.json_files.api_systems.base import ApiSystem, Price, Product
from product_files.json_files.json_objects import as_text
from product_files.json_files.json_source import JsonUnreadable
from product_files.json_files.related_objects import joined_objects
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.product_data import DEFAULT_CURRENCY
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, SkusOfFile, machine_price, with_list_price
from product_files.values.html_text import html_to_text

API_SYSTEMS: Mapping[str, ApiSystem] = {
    "commercetools_json": commercetools.SYSTEM,
    "bigcommerce_json": bigcommerce.SYSTEM,
    "vtex_json": vtex.SYSTEM,
    "vendure_json": vendure.SYSTEM,
    "ecwid_json": ecwid.SYSTEM,
    "woocommerce_json": woocommerce.SYSTEM,
    "magento_json": magento.SYSTEM,
    "shopware_json": shopware.SYSTEM,
    "medusa_json": medusa.SYSTEM,
    "saleor_json": saleor.SYSTEM,
    "sylius_json": sylius.SYSTEM,
    "wix_json": wix.SYSTEM,
    "squarespace_json": squarespace.SYSTEM,
    "etsy_json": etsy.SYSTEM,
    "square_json": square.SYSTEM,
    "tradedoubler_json": tradedoubler.SYSTEM,
    "akeneo_json": akeneo.SYSTEM,
    "allegro_json": allegro.SYSTEM,
    "cafe24_json": cafe24.SYSTEM,
    "insales_json": insales.SYSTEM,
    "odoo_json": odoo.SYSTEM,
    "otto_json": otto.SYSTEM,
    "ozon_json": ozon.SYSTEM,
    "salla_json": salla.SYSTEM,
    "shopee_json": shopee.SYSTEM,
    "stripe_json": stripe.SYSTEM,
    "tiendanube_json": tiendanube.SYSTEM,
    "trendyol_json": trendyol.SYSTEM,
    "wildberries_json": wildberries.SYSTEM,
    "schema_org": schema_org.SYSTEM,
}


class ApiProducts(ShopExport[ShopRows]):
    """A row per variant, numbered by product. The variants of a product are a family.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.
        slug: the format, one of API_SYSTEMS.

    Raises:
        InvalidSource: the encoding is not supported.
    """

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, slug: str) -> None:
        self.format = slug
        self._system = API_SYSTEMS[slug]
        self._path = path
        self._currency = mapping.values.get("currency", "") or DEFAULT_CURRENCY
        self._encoding = find_encoding(path, mapping.encoding).codec
        self._rows = ShopRows(mapping, [], photos=photos, system=self._system.name)
        self._others = 0

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file."""
        others = [row_facts.OTHER_OBJECTS(others=self._others)] if self._others else []
        return [*super().notes, *others]

    def __iter__(self) -> Iterator[Row]:
        number = self._others = 0
        opened = joined_objects(self._path, self._encoding, self._system.relations)
        with closing(SkusOfFile()) as skus, opened as objects:
            try:
                for number, content in enumerate(objects, start=1):
                    product = self._system.product(self._system.product_in(content))
                    if product is None:
                        self._others += 1
                    else:
                        yield from self._rows_of(number, product, skus)
            except JsonUnreadable as error:
                yield Row(number + 1, "", error=str(error), is_last_readable=True)

    def _rows_of(self, number: int, product: Product, skus: SkusOfFile) -> Iterator[Row]:
        if not product.variants:
            yield Row(number, "", error=row_facts.NO_VARIANTS())
        is_family = len(product.variants) > 1 or product.has_relatives
        common: dict[str, str | Sequence[str]] = {
            "family": product.family if is_family else "",
        }
        if product.description is not None:
            common["description"] = html_to_text(product.description)
        if product.brand is not None:
            common["brand"] = product.brand
        if product.categories is not None:
            common["category"] = product.categories[0] if product.categories else ()
        if product.tags is not None:
            common["tags"] = product.tags
        if product.active is not None:
            common["active"] = as_text(product.active)
        key = product.key or product.family
        for place, variant in enumerate(product.variants, start=1):
            owner = f"{key}-{place}"
            sku, warning = skus.claim(variant.sku, owner, owner if len(product.variants) > 1 else key)
            record = {
                **common,
                "sku": sku,
                "title": variant.title or product.title,
                "image": list(dict.fromkeys(variant.photos or product.photos)),
            }
            if variant.prices is not None:
                record["price"], record["list_price"] = self._price(variant.prices)
            if variant.available is not None:
                record["available"] = as_text(variant.available)
            yield self._rows.build(
                ShopProduct(
                    line=number,
                    record=record,
                    attributes={**product.attributes, **variant.attributes},
                    other_categories=(product.categories or ())[1:],
                    warnings=(*product.warnings, *((warning,) if warning and self._rows.derives("sku") else ())),
                )
            )

    def _price(self, prices: Sequence[Price]) -> tuple[str, str]:
        """The price in the currency of the import, or else the first, and the one before a reduction."""
        own = (price for price in prices if price.currency in ("", self._currency))
        price = next(own, prices[0] if prices else Price(""))
        amounts = [f"{machine_price(text)} {price.currency}".strip() for text in (price.amount, price.before) if text]
        return with_list_price("".join(amounts[:1]), "".join(amounts[1:]), ".")


def api_system(head: str) -> str:
    """The format of JSON with these first characters, one of API_SYSTEMS; "" for other JSON."""
    return next((slug for slug, system in API_SYSTEMS.items() if system.matches(head)), "")
