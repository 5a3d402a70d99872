"""Variants within a product, as XML and JSON of any kind have them: each becomes a record of its own, with what its product has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from product_files.columns.known_columns import with_known_columns
from product_files.mapping import ATTRIBUTE_PREFIX, MULTI_COLUMN_FIELDS, FieldMapping, Record

# What shops call the list of variants, and each of them. Children are as often the products of a bundle.
_NAMES = frozenset(
    (
        "variant",
        "variants",
        "variation",
        "variations",
        "varianten",
        "variante",
        "variantes",
        "varianti",
        "varianta",
        "varianty",
        "wariant",
        "warianty",
        "combination",
        "combinations",
        "modification",
        "modifications",
        "skus",
        "sku",
        "sizes",
        "size",
    )
)
# What a variant has as its product has it: its own name says what it differs in.
_OF_PRODUCT = frozenset(("title", "family", "tags"))
# What is of one variant only.
_BARCODE = "attribute.gtin"
# Of JSON, in which `attributes` has those of a product or variant by their names.
_IDENTIFIERS = frozenset(("id", "@id"))


def is_named_for_variants(name: str) -> bool:
    """Whether a list of this name may have the variants of a product."""
    return name.casefold() in _NAMES


@lru_cache(1024)
def are_variants(columns: tuple[str, ...]) -> bool:
    """Whether what has these columns can be sold: it has a SKU or barcode, or a price or stock with what it differs in.

    Args:
        columns: paths.

    Returns:
        False for options and other lists.
    """
    found = _columns_of(columns).keys()
    differs = any(name.startswith(ATTRIBUTE_PREFIX) for name in found)
    return ("sku" in found and bool(found & {"price", "available"} or differs)) or (
        differs and bool(found & {"price", "available"})
    )


class NestedVariants:
    """Makes records of variants, in which their values stand in the columns that their product has for the same fields.

    Args:
        mapping: of the products, with the columns that are known by their names.
        place: name or path of the variants in a product.
        columns: of variants.

    Attributes:
        mapping: with the columns that only variants have.
        added: these columns.
        several: columns of variants of which all values count.
    """

    def __init__(self, mapping: FieldMapping, place: str, columns: Sequence[str]) -> None:
        self._place = place
        chosen = {
            name: tuple(column[len(place) + 1 :] for column in found if column.startswith(f"{place}/"))
            for name, found in mapping.columns.items()
        }
        known = {
            name: own
            for name, own in _columns_of(columns).items()
            # Where somebody has chosen the columns, a field without one stays without.
            if name not in _OF_PRODUCT and (mapping.automatic or name in mapping.columns)
        }
        # What is called as in the product is the same, but a number in a database is no SKU of a variant that has one.
        own_sku = known.get("sku", ("id",))[0].casefold() not in _IDENTIFIERS
        known |= {
            name: (mapping.columns[name][0],)
            for name in known
            if (column := mapping.columns.get(name, ("",))[0]) in columns
            and not (name == "sku" and own_sku and column.casefold() in _IDENTIFIERS)
        }
        self._own = {**known, **{name: own for name, own in chosen.items() if own}}
        self._targets: dict[str, str] = {}
        self._cleared: set[str] = set()
        for name, own in self._own.items():
            of_product = [each for each in mapping.columns.get(name, ()) if not each.startswith(f"{place}/")]
            self._targets[name] = of_product[0] if of_product else f"{place}/{own[0]}"
            self._cleared.update(of_product[1:] if name in MULTI_COLUMN_FIELDS else ())
        new = [
            (name, target) for name, target in self._targets.items() if name not in {*mapping.columns, *mapping.values}
        ]
        self._has_family = "family" in mapping.values or mapping.columns.get("family", (place,)) != (place,)
        if not self._has_family and "family" not in mapping.columns:
            new.append(("family", place))
        self.mapping = mapping.with_columns(new)
        self._attributes = [column for column in columns if column.startswith(ATTRIBUTE_PREFIX)]
        of_variants = [each for each in self._targets.values() if each.startswith(f"{place}/")]
        self.added = list(dict.fromkeys([*of_variants, *self._attributes, place]))
        self._sku = mapping.columns.get("sku", (self._targets.get("sku", ""),))[0]
        self._sku_otherwise = mapping.sku_otherwise
        self._is_number = self._own.get("sku", ("",))[0].casefold() in _IDENTIFIERS
        self.several = {column for name, own in self._own.items() if name in MULTI_COLUMN_FIELDS for column in own}

    def records(self, product: Record, variants: Sequence[Record]) -> Iterator[dict[str, str | Sequence[str]]]:
        """The records of the variants of a product.

        Args:
            product: the record of the product.
            variants: those of its variants, by their own columns.

        Yields:
            One for each variant; the product's own, with all columns, where it has none.
        """
        empty = dict.fromkeys(self.added, "")
        if not variants:
            yield {**empty, **product}
        family, first = _text(product, self._sku), ""
        skus: set[str] = set()
        barcodes = dict.fromkeys(self.mapping.columns.get(_BARCODE, ()), "")
        for number, variant in enumerate(variants, start=1):
            record = {**empty, **product, **barcodes}
            for name, own in self._own.items():
                values = [variant[column] for column in own if variant.get(column)]
                if values:
                    record |= dict.fromkeys(self._cleared & set(self.mapping.columns.get(name, ())), "")
                    record[self._targets[name]] = values[0] if len(values) == 1 else _joined(values)
            record |= {column: variant[column] for column in self._attributes if variant.get(column)}
            if self._sku:
                sku = self._sku_of(variant, family, number) or self._numbered(product, number)
                # Some shops give all variants the SKU of their product.
                record[self._sku] = f"{sku}-{number}" if sku in skus else sku
                skus.add(sku)
            # Without a SKU of its own, a product is known by that of its first variant.
            first = first or family or _text(record, self._sku)
            if not self._has_family and len(variants) > 1:
                record[self._place] = first
            yield record

    def _sku_of(self, variant: Record, family: str, number: int) -> str:
        """The SKU of a variant; its number in a database belongs to it only together with that of its product."""
        own = next((text for column in self._own.get("sku", ()) if (text := _text(variant, column))), "")
        if own and not (self._is_number and family):
            return own
        return f"{family}-{own or number}" if family else own

    def _numbered(self, product: Record, number: int) -> str:
        """The SKU of a variant where neither it nor its product has one."""
        known = _text(product, self._sku_otherwise) if self._sku_otherwise else ""
        return f"{known}-{number}" if known else ""


def _columns_of(columns: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return with_known_columns(FieldMapping(), columns, are_paths=True).mapping.columns


def _text(record: Record, column: str) -> str:
    value = record.get(column, "")
    return value if isinstance(value, str) else next(iter(value), "")


def _joined(values: Iterable[str | Sequence[str]]) -> list[str]:
    return [text for value in values for text in ([value] if isinstance(value, str) else value)]
