"""The demo catalogue: products with known attributes, and their drawn photos."""

import io
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from PIL import Image

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import COLOURS, MATERIALS, PATTERNS
from storefront.demo.photos import studio_photo, styled_photo
from storefront.demo.product_types import PRODUCT_TYPES, ProductType, Shape

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

_FAMILY_SIZE = 3  # products per family, which share category, colour and pattern
_AVAILABLE_SHARE = 0.92


@dataclass(frozen=True)
class DemoProduct:
    """A product of the demo shop.

    Attributes:
        sku: unique.
        title: unique.
        category: slug path.
        category_names: of each level of `category`.
        description: two or three sentences.
        brand: one of `BRANDS`.
        price: in `currency`.
        currency: ISO 4217.
        available: whether it is in stock.
        tags: colour, pattern and material.
        attributes: shape, colour, pattern and material, which define what is similar.
        views: number of photos.
    """

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
    """Generate the products of the demo catalogue.

    Args:
        seed: the same seed gives the same products.
        count: number of products; a larger count has the products of a smaller one first.

    Returns:
        One product of each category in turn.
    """
    return [_product(PRODUCT_TYPES[n % len(PRODUCT_TYPES)], n // len(PRODUCT_TYPES), seed) for n in range(count)]


def draw_view(product: DemoProduct, view: int, size: int = 480) -> Image.Image:
    """Draw a photo of a product.

    Args:
        product: of the demo.
        view: 0 for the studio photo; higher for photos in a room.
        size: pixels per side.

    Returns:
        RGB image of `size` by `size` pixels.

    Raises:
        ValueError: the product has no such view.
    """
    if not 0 <= view < product.views:
        raise ValueError(f"{product.sku} has views 0 to {product.views - 1}, not {view}.")
    appearance, draw = _appearance(product), _shape_of(product).draw
    seed = zlib.crc32(f"{product.sku}/{product.title}/{view}".encode())
    return studio_photo(draw(appearance), seed, size) if view == 0 else styled_photo(draw(appearance), seed, size)


def _product(product_type: ProductType, ordinal: int, seed: int) -> DemoProduct:
    families = _families(product_type, seed)
    family = ordinal // _FAMILY_SIZE
    colour, pattern = families[family % len(families)]
    shape = product_type.shapes[ordinal % len(product_type.shapes)]
    rng = random.Random(f"{seed}/{product_type.code}/{ordinal}")
    material = product_type.materials[(ordinal + rng.randrange(2)) % len(product_type.materials)]
    attributes = {"shape": shape.name, "colour": colour, "pattern": pattern, "material": material}
    edition = family // len(families)
    title = _title(product_type, shape, attributes) + (f" ({_line(edition)})" if edition else "")
    return DemoProduct(
        sku=f"DEMO-{product_type.code}-{ordinal + 1:03d}",
        title=title,
        category=product_type.category,
        category_names=product_type.names,
        description=_description(product_type, shape, attributes),
        brand=rng.choice(BRANDS),
        price=_price(product_type, shape, attributes, rng),
        currency="EUR",
        available=rng.random() < _AVAILABLE_SHARE,
        tags=(colour, pattern, material),
        attributes=attributes,
    )


def _families(product_type: ProductType, seed: int) -> Sequence[tuple[str, str]]:
    """Five (colour, pattern) pairs with repeated colours and patterns, so that similarity has degrees."""
    rng = random.Random(f"{seed}/{product_type.code}")
    palette = sorted(COLOURS)
    random.Random(seed).shuffle(palette)
    at = PRODUCT_TYPES.index(product_type)
    # Each category starts four colours further, so that all colours are about equally frequent in the shop.
    first, second, third, fourth = ((palette * 2)[4 * at % len(palette) :])[:4]
    print_one, print_two = rng.sample(product_type.patterns, 2)
    pairs = [(first, print_one), (second, "plain"), (third, print_two), (first, "plain"), (fourth, print_one)]
    # Categories start at different pairs. Otherwise the first page of the shop would have prints only.
    begin = 2 * at % len(pairs)
    return pairs[begin:] + pairs[:begin]


def _line(edition: int) -> str:
    return LINES[edition - 1] if edition <= len(LINES) else f"No. {edition}"


def _title(product_type: ProductType, shape: Shape, attributes: dict[str, str]) -> str:
    words = product_type.title.format(
        adjective=PATTERNS[attributes["pattern"]].adjective,
        material=attributes["material"],
        noun=shape.noun,
        colour=attributes["colour"],
    )
    words = " ".join(words.split())
    return words[0].upper() + words[1:]


def _description(product_type: ProductType, shape: Shape, attributes: dict[str, str]) -> str:
    colour, pattern = COLOURS[attributes["colour"]], PATTERNS[attributes["pattern"]]
    material = MATERIALS[attributes["material"]]
    with_partner = f" and {colour.partner}" if pattern.name != "plain" else ""
    opening = shape.noun[0].upper() + shape.noun[1:]
    return f"{opening} of {material.name}, {colour.name}{with_partner}, {pattern.phrase}. {product_type.use} {material.care}"


def _price(product_type: ProductType, shape: Shape, attributes: dict[str, str], rng: random.Random) -> Decimal:
    """Price by product type, shape and material; a pattern costs a little more. Ends in .90, .50 or .00."""
    printed = 1.0 if attributes["pattern"] == "plain" else 1.06
    amount = (
        product_type.price * shape.price * MATERIALS[attributes["material"]].price * printed * rng.uniform(0.95, 1.08)
    )
    rounded = round(amount, -1) - 1 if amount >= 200 else round(amount)
    return Decimal(f"{rounded:.0f}.00") if amount >= 200 else Decimal(f"{rounded:.0f}.{rng.choice(('50', '90'))}")


def _appearance(product: DemoProduct) -> Appearance:
    colour = COLOURS[product.attributes["colour"]]
    variation = (zlib.crc32(product.sku.encode()) % 1000) / 1000
    material = MATERIALS[product.attributes["material"]]
    return Appearance(colour.rgb, COLOURS[colour.partner].rgb, product.attributes["pattern"], material, variation)


def _shape_of(product: DemoProduct) -> Shape:
    return _SHAPES[product.category, product.attributes["shape"]]


_SHAPES = {
    (product_type.category, shape.name): shape for product_type in PRODUCT_TYPES for shape in product_type.shapes
}


def photo_files(product: DemoProduct, size: int = 480) -> list[bytes]:
    """All views of the product as JPEG files of ``size`` pixels per side."""
    files = []
    for view in range(product.views):
        buffer = io.BytesIO()
        draw_view(product, view, size).save(buffer, "JPEG", quality=88)
        files.append(buffer.getvalue())
    return files
