"""The demo catalogue: which products there are, by known attributes, and what their photos show."""

import io
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from PIL import Image

from storefront.demo.attributes import COLOURS, MATERIALS, PATTERNS
from storefront.demo.kinds import KINDS, Kind, Shape
from storefront.demo.look import Look
from storefront.demo.photos import studio_photo, styled_photo

BRANDS = (
    "Alder & Finch",
    "Nordhavn",
    "Maison Lune",
    "Kettle Row",
    "Tessel",
    "Orla Grey",
    "Fieldnote",
    "Sundby",
    "Petit Cobalt",
    "Harrow Lane",
)
LINES = ("Fjord", "Alma", "Juniper", "Sol", "Marlow", "Linden", "Onda", "Willow", "Pico", "Heron")

_FAMILY_SIZE = 3  # products that share category, colour and pattern before the next family comes
_AVAILABLE_SHARE = 0.92


@dataclass(frozen=True)
class DemoProduct:
    """A product of the demo shop. attributes: its shape, colour, pattern and material, the known answer."""

    sku: str
    title: str
    category: str
    category_names: tuple[str, ...]
    description: str
    brand: str
    price: Decimal
    currency: str
    available: bool
    tags: tuple[str, ...]
    attributes: dict[str, str]
    views: int = 2


def demo_products(seed: int = 7, count: int = 300) -> list[DemoProduct]:
    """The first ``count`` products, every category in turn; a larger count adds to a smaller one."""
    return [_product(KINDS[n % len(KINDS)], n // len(KINDS), seed) for n in range(count)]


def draw_view(product: DemoProduct, view: int, size: int = 480) -> Image.Image:
    """The product's photo, RGB, ``size`` pixels a side: view 0 in the studio, the others somewhere at home.

    Raises ValueError when the product has no such view.
    """
    if not 0 <= view < product.views:
        raise ValueError(f"{product.sku} has views 0 to {product.views - 1}, not {view}.")
    look, draw = _look(product), _shape_of(product).draw
    seed = zlib.crc32(f"{product.sku}/{product.title}/{view}".encode())
    return studio_photo(draw(look), seed, size) if view == 0 else styled_photo(draw(look), seed, size)


def _product(kind: Kind, ordinal: int, seed: int) -> DemoProduct:
    families = _families(kind, seed)
    family = ordinal // _FAMILY_SIZE
    colour, pattern = families[family % len(families)]
    shape = kind.shapes[ordinal % len(kind.shapes)]
    rng = random.Random(f"{seed}/{kind.code}/{ordinal}")
    material = kind.materials[(ordinal + rng.randrange(2)) % len(kind.materials)]
    attributes = {"shape": shape.name, "colour": colour, "pattern": pattern, "material": material}
    edition = family // len(families)
    title = _title(kind, shape, attributes) + (f" ({_line(edition)})" if edition else "")
    return DemoProduct(
        sku=f"DEMO-{kind.code}-{ordinal + 1:03d}",
        title=title,
        category=kind.category,
        category_names=kind.names,
        description=_description(kind, shape, attributes),
        brand=rng.choice(BRANDS),
        price=_price(kind, shape, attributes, rng),
        currency="EUR",
        available=rng.random() < _AVAILABLE_SHARE,
        tags=(colour, pattern, material),
        attributes=attributes,
    )


def _families(kind: Kind, seed: int) -> Sequence[tuple[str, str]]:
    """Five (colour, pattern) pairs in which colours and patterns come back, so that "similar" has degrees."""
    rng = random.Random(f"{seed}/{kind.code}")
    palette = sorted(COLOURS)
    random.Random(seed).shuffle(palette)
    at = KINDS.index(kind)
    # Four colours on for each category, so that the shop as a whole shows all of them about as often.
    first, second, third, fourth = ((palette * 2)[4 * at % len(palette) :])[:4]
    print_one, print_two = rng.sample(kind.patterns, 2)
    pairs = [(first, print_one), (second, "plain"), (third, print_two), (first, "plain"), (fourth, print_one)]
    # Categories begin at different pairs, or the first page of the shop would be all prints.
    begin = 2 * at % len(pairs)
    return pairs[begin:] + pairs[:begin]


def _line(edition: int) -> str:
    return LINES[edition - 1] if edition <= len(LINES) else f"No. {edition}"


def _title(kind: Kind, shape: Shape, attributes: dict[str, str]) -> str:
    words = kind.title.format(
        adjective=PATTERNS[attributes["pattern"]].adjective,
        material=attributes["material"],
        noun=shape.noun,
        colour=attributes["colour"],
    )
    words = " ".join(words.split())
    return words[0].upper() + words[1:]


def _description(kind: Kind, shape: Shape, attributes: dict[str, str]) -> str:
    colour, pattern = COLOURS[attributes["colour"]], PATTERNS[attributes["pattern"]]
    material = MATERIALS[attributes["material"]]
    with_partner = f" and {colour.partner}" if pattern.name != "plain" else ""
    opening = shape.noun[0].upper() + shape.noun[1:]
    return f"{opening} of {material.name}, {colour.name}{with_partner}, {pattern.phrase}. {kind.use} {material.care}"


def _price(kind: Kind, shape: Shape, attributes: dict[str, str], rng: random.Random) -> Decimal:
    """The kind's price, by shape and material; a pattern costs a little more. Ends in .90 or .50."""
    printed = 1.0 if attributes["pattern"] == "plain" else 1.06
    amount = kind.price * shape.price * MATERIALS[attributes["material"]].price * printed * rng.uniform(0.95, 1.08)
    whole = round(amount, -1) - 1 if amount >= 200 else round(amount)
    return Decimal(f"{whole:.0f}.00") if amount >= 200 else Decimal(f"{whole:.0f}.{rng.choice(('50', '90'))}")


def _look(product: DemoProduct) -> Look:
    colour = COLOURS[product.attributes["colour"]]
    whim = (zlib.crc32(product.sku.encode()) % 1000) / 1000
    material = MATERIALS[product.attributes["material"]]
    return Look(colour.rgb, COLOURS[colour.partner].rgb, product.attributes["pattern"], material, whim)


def _shape_of(product: DemoProduct) -> Shape:
    return _SHAPES[product.category, product.attributes["shape"]]


_SHAPES = {(kind.category, shape.name): shape for kind in KINDS for shape in kind.shapes}


def photo_files(product: DemoProduct, size: int = 480) -> list[bytes]:
    """All views of the product, as JPEG files of ``size`` pixels a side."""
    files = []
    for view in range(product.views):
        buffer = io.BytesIO()
        draw_view(product, view, size).save(buffer, "JPEG", quality=88, optimize=True)
        files.append(buffer.getvalue())
    return files
