"""What is known of a product where it is compared: the same for a product of the catalogue, a row of a file and a request."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from catalog.colour_words import colours_of

_WORD = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*")
_DECIMAL = re.compile(r"(?<=\d),(?=\d)")
# A whole number, if any, with a fraction of one sign behind it.
_FRACTION_SIGN = re.compile(r"(?P<whole>(?<![\d.,])\d{1,4})?\s?(?P<part>[\u00bc-\u00be\u2150-\u215e])")
# Fractions as they are written with several; `12/24 V` are two voltages.
_FRACTION = r"(?:(?P<whole>\d{1,2})[ -])?(?P<over>\d{1,2})[/\u2044](?P<under>[2348]|16|32|64)(?!\d)"
# A number with its unit, as in "500 ml", "2,5kg", "12 x 330 ml", "1 1/2 l".
_TIMES = r"(?:(?P<times>\d{1,3})\s*[x\u00d7]\s*)?"
_QUANTITY = re.compile(
    rf"(?<![\w.]){_TIMES}(?:{_FRACTION}|(?P<number>\d+(?:\.\d+)?))\s*-?(?P<unit>[a-z\u03bc\"\u201d\u2033']+)(?![\w])"
)

# Each unit's quantity and how many of its base unit it has.
_UNITS: Mapping[str, tuple[str, float]] = {
    **dict.fromkeys(("ml", "millilitre", "milliliter"), ("volume", 1.0)),
    "cl": ("volume", 10.0),
    "dl": ("volume", 100.0),
    **dict.fromkeys(("l", "lt", "ltr", "litre", "liter", "litres", "liters"), ("volume", 1000.0)),
    **dict.fromkeys(("floz",), ("volume", 29.57)),
    "mg": ("mass", 0.001),
    **dict.fromkeys(("g", "gr", "gram", "grams", "gramm"), ("mass", 1.0)),
    **dict.fromkeys(("kg", "kilo", "kilogram", "kilograms"), ("mass", 1000.0)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("mass", 28.35)),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), ("mass", 453.6)),
    "mm": ("length", 1.0),
    **dict.fromkeys(("cm", "centimetre", "centimeter"), ("length", 10.0)),
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters"), ("length", 1000.0)),
    **dict.fromkeys(("in", "inch", "inches", '"', "”", "″", "zoll"), ("length", 25.4)),
    **dict.fromkeys(("ft", "feet", "foot"), ("length", 304.8)),
    "mb": ("memory", 1.0),
    "gb": ("memory", 1000.0),
    "tb": ("memory", 1_000_000.0),
    **dict.fromkeys(("w", "watt", "watts"), ("power", 1.0)),
    "kw": ("power", 1000.0),
    **dict.fromkeys(("v", "volt", "volts"), ("voltage", 1.0)),
    "mah": ("charge", 1.0),
    "ah": ("charge", 1000.0),
    "mp": ("pixels", 1.0),
    "hz": ("frequency", 1.0),
    **dict.fromkeys(("pcs", "pc", "pieces", "pack", "pk", "stk", "stück", "count", "ct"), ("pieces", 1.0)),
}
# Two amounts are the same if they differ by rounding.
_SAME_AMOUNT = 0.02
_CODE_NAMES = frozenset({"gtin", "ean", "upc", "isbn", "barcode", "gtin13", "gtin12", "gtin8", "gtin14"})


@dataclass(frozen=True)
class Record:
    """A product as one seller describes it. All but the title may be empty."""

    title: str
    brand: str = ""
    description: str = ""
    price: Decimal | None = None
    currency: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    code: str = ""

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Words of title and brand."""
        return (*self.title_words, *(word for word in self.brand_words if word not in self.title_words))

    @cached_property
    def title_words(self) -> tuple[str, ...]:
        """Words of the title."""
        return tuple(words(self.title))

    @cached_property
    def brand_words(self) -> tuple[str, ...]:
        """Words of the brand."""
        return tuple(words(self.brand))

    @cached_property
    def described(self) -> frozenset[str]:
        """Words of the description."""
        return frozenset(words(self.description))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Numbers of the title that are no quantity and no model number."""
        return frozenset(token for token in words(self._without_quantities) if token.replace(".", "", 1).isdecimal())

    @cached_property
    def models(self) -> frozenset[str]:
        """Model numbers of the title and the attributes: letters and digits in one, four characters or more."""
        named = [
            value for name, value in self.attributes.items() if name.casefold() in ("model", "mpn", "model number")
        ]
        tokens = [
            token.replace("-", "").replace("/", "")
            for text in (self._without_quantities, *map(normalised, named))
            for token in words(text)
        ]
        return frozenset(
            token
            for token in tokens
            if len(token) > 3 and any(map(str.isdigit, token)) and any(map(str.isalpha, token))
        )

    @cached_property
    def quantities(self) -> Mapping[str, frozenset[float]]:
        """Amounts in base units (ml, g, mm, MB, W ...) by what they measure, of the title and the attributes."""
        found: dict[str, set[float]] = {}
        for text in (self.title, *self.attributes.values()):
            for quantity, amount in quantities(text):
                found.setdefault(quantity, set()).add(amount)
        return {quantity: frozenset(amounts) for quantity, amounts in found.items()}

    @cached_property
    def codes(self) -> frozenset[str]:
        """Barcodes (GTIN), with 14 digits, that have a right check digit."""
        named = [value for name, value in self.attributes.items() if name.casefold().replace("-", "") in _CODE_NAMES]
        return frozenset(code.zfill(14) for code in (self.code, *named) if is_gtin(code))

    @cached_property
    def colours(self) -> frozenset[str]:
        """Colours that the title or an attribute names, in English."""
        return colours_of(self.title, self.attributes)

    @cached_property
    def _without_quantities(self) -> str:
        return _QUANTITY.sub(" ", normalised(self.title))


def normalised(text: str) -> str:
    """Text for comparing: without entities, accents and case, with a point in decimals and with `5.5` for `5\u00bd`."""
    plain = unicodedata.normalize("NFKD", _FRACTION_SIGN.sub(_as_decimal, html.unescape(text))).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _DECIMAL.sub(".", plain.replace("™", " ").replace("®", " "))


def words(text: str) -> list[str]:
    """The words of a text, normalised, in order."""
    return _WORD.findall(normalised(text))


def quantities(text: str) -> Iterator[tuple[str, float]]:
    """The quantities that a text names.

    Args:
        text: of a title or an attribute.

    Yields:
        What is measured, and how many of its base unit.
    """
    for found in _QUANTITY.finditer(normalised(text)):
        unit = _UNITS.get(found["unit"])
        if unit is not None:
            yield unit[0], _number(found) * unit[1] * int(found["times"] or 1)


def _number(quantity: re.Match[str]) -> float:
    """The number of a quantity; of two, as in `12/8 kg`, the second one."""
    if quantity["number"]:
        return float(quantity["number"])
    over, under = int(quantity["over"]), int(quantity["under"])
    return int(quantity["whole"] or 0) + over / under if 0 < over < under else float(under)


def _as_decimal(fraction: re.Match[str]) -> str:
    whole = fraction["whole"] or ""
    # With the part behind all digits of the whole: 9999½ is not 1e+04.
    digits = max(4, len(whole) + 3)
    return f" {int(whole or 0) + unicodedata.numeric(fraction['part']):.{digits}g} "


def same_amount(one: float, other: float) -> bool:
    """Whether two amounts in one unit are the same but for rounding."""
    return abs(one - other) <= _SAME_AMOUNT * max(one, other)


def is_gtin(code: str) -> bool:
    """Whether a text is a GTIN of 8, 12, 13 or 14 digits, by its check digit."""
    if len(code) not in (8, 12, 13, 14) or not (code.isascii() and code.isdecimal()):
        return False
    digits = [int(digit) for digit in reversed(code)]
    return (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0
