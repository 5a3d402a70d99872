"""The product types of the demo shop: their shapes, materials and prices."""

from collections.abc import Callable
from dataclasses import dataclass

from storefront.demo.appearance import Appearance
from storefront.demo.scene import Drawing
from storefront.demo.shapes import accessories, bags, clothing, footwear, furnishing, tableware

Draw = Callable[[Appearance], Drawing]

_PRINTS = ("striped", "dotted", "checked", "floral", "zigzag", "two-tone")
_GLAZES = ("striped", "dotted", "zigzag", "speckled", "two-tone", "floral")


@dataclass(frozen=True)
class Shape:
    """A silhouette.

    Attributes:
        name: value of the attribute `shape`.
        noun: in titles.
        draw: makes the drawing from an appearance.
        price: factor on the price of the product type.
    """

    name: str
    noun: str
    draw: Draw
    price: float = 1.0


@dataclass(frozen=True)
class ProductType:
    """A category of the demo shop.

    Attributes:
        code: part of the SKUs.
        category: slug path.
        names: of the category and its parent, the parent first.
        shapes: in turn.
        patterns: that fit, beside "plain".
        materials: that fit.
        price: base price in EUR.
        use: sentence of the description.
        title: template of titles.
    """

    code: str
    category: str
    names: tuple[str, str]
    shapes: tuple[Shape, ...]
    patterns: tuple[str, ...]
    materials: tuple[str, ...]
    price: float
    use: str
    title: str = "{adjective} {material} {noun}, {colour}"


PRODUCT_TYPES = (
    ProductType(
        "TEE", "clothing/t-shirts", ("Clothing", "T-shirts"),
        (
            Shape("crew neck", "crew-neck T-shirt", clothing.crew_tee),
            Shape("V-neck", "V-neck T-shirt", clothing.v_neck_tee),
            Shape("long sleeve", "long-sleeve T-shirt", clothing.long_sleeve_tee, 1.25),
        ),
        ("striped", "dotted", "two-tone", "zigzag"), ("cotton", "linen"), 19, "An easy fit for every day.",
    ),
    ProductType(
        "MUG", "home/mugs", ("Home", "Mugs"),
        (
            Shape("straight", "mug", tableware.straight_mug),
            Shape("tulip", "tulip mug", tableware.tulip_mug, 1.1),
            Shape("tapered", "tapered mug", tableware.tapered_mug, 1.05),
        ),
        _GLAZES, ("stoneware", "porcelain", "enamel"), 14, "Holds 350 ml and sits well in the hand.",
    ),
    ProductType(
        "SNK", "shoes/sneakers", ("Shoes", "Sneakers"),
        (
            Shape("low", "low sneakers", footwear.low_sneaker),
            Shape("high-top", "high-top sneakers", footwear.high_sneaker, 1.15),
            Shape("slip-on", "slip-on sneakers", footwear.slip_on_sneaker, 0.85),
        ),
        ("striped", "checked", "dotted", "two-tone", "floral"), ("canvas", "leather", "suede"), 59,
        "A cushioned sole of natural rubber.",
    ),
    ProductType(
        "LMP", "home/lamps", ("Home", "Lamps"),
        (
            Shape("drum", "drum lamp", furnishing.drum_lamp),
            Shape("cone", "cone lamp", furnishing.cone_lamp, 0.9),
            Shape("dome", "dome lamp", furnishing.dome_lamp, 1.15),
        ),
        _PRINTS, ("linen", "cotton", "silk"), 69, "A warm light for a side table; takes an E27 bulb.",
    ),
    ProductType(
        "HBG", "bags/handbags", ("Bags", "Handbags"),
        (
            Shape("tote", "tote bag", bags.tote_bag),
            Shape("satchel", "satchel", bags.satchel_bag, 1.3),
            Shape("bucket", "bucket bag", bags.bucket_bag, 1.1),
            Shape("hobo", "hobo bag", bags.hobo_bag, 1.2),
        ),
        ("striped", "checked", "two-tone", "zigzag", "floral"), ("leather", "canvas", "suede"), 79,
        "Room for a tablet, with a zipped pocket inside.",
    ),
    ProductType(
        "CHR", "furniture/chairs", ("Furniture", "Chairs"),
        (
            Shape("dining", "dining chair", furnishing.dining_chair),
            Shape("shell", "shell chair", furnishing.shell_chair, 1.2),
            Shape("armchair", "armchair", furnishing.armchair, 2.6),
            Shape("bar stool", "bar stool", furnishing.bar_stool, 0.8),
        ),
        ("striped", "checked", "zigzag", "floral", "two-tone"), ("linen", "velvet", "leather", "wool"), 149,
        "On legs of solid wood.",
    ),
    ProductType(
        "DRS", "clothing/dresses", ("Clothing", "Dresses"),
        (
            Shape("shift", "shift dress", clothing.shift_dress),
            Shape("flared", "flared dress", clothing.flared_dress, 1.15),
            Shape("strap", "strap dress", clothing.strap_dress, 0.95),
        ),
        ("floral", "dotted", "striped", "checked", "two-tone"), ("cotton", "linen", "silk"), 64,
        "Cut to move, with pockets in the seams.",
    ),
    ProductType(
        "VAS", "home/vases", ("Home", "Vases"),
        (
            Shape("amphora", "amphora vase", tableware.amphora_vase, 1.2),
            Shape("bottle", "bottle vase", tableware.bottle_vase),
            Shape("bulb", "bulb vase", tableware.bulb_vase, 1.1),
            Shape("flared", "flared vase", tableware.flared_vase),
        ),
        _GLAZES, ("stoneware", "porcelain", "clay"), 34, "Thrown by hand, watertight.",
    ),
    ProductType(
        "WTC", "accessories/watches", ("Accessories", "Watches"),
        (
            Shape("round", "round watch", accessories.round_watch),
            Shape("square", "square watch", accessories.square_watch, 1.1),
            Shape("chronograph", "chronograph", accessories.chronograph_watch, 1.6),
        ),
        ("striped", "two-tone", "zigzag", "dotted"), ("leather", "canvas", "suede"), 119,
        "Quartz movement, water resistant to 5 bar.", "{noun} with {adjective} {material} strap, {colour}",
    ),
    ProductType(
        "SHR", "clothing/shirts", ("Clothing", "Shirts"),
        (
            Shape("classic", "classic shirt", clothing.classic_shirt),
            Shape("camp collar", "camp-collar shirt", clothing.camp_shirt, 0.9),
            Shape("band collar", "band-collar shirt", clothing.band_collar_shirt, 1.05),
        ),
        ("checked", "striped", "floral", "dotted"), ("cotton", "linen", "denim"), 49,
        "Buttons of recycled shell, a straight hem.",
    ),
    ProductType(
        "BPK", "bags/backpacks", ("Bags", "Backpacks"),
        (
            Shape("classic", "classic backpack", bags.classic_backpack),
            Shape("roll-top", "roll-top backpack", bags.roll_top_backpack, 1.15),
            Shape("flap", "flap backpack", bags.flap_backpack, 1.1),
        ),
        ("two-tone", "striped", "checked", "zigzag", "dotted"), ("canvas", "leather", "denim"), 69,
        "A padded sleeve for a 15-inch laptop.",
    ),
    ProductType(
        "CSH", "home/cushions", ("Home", "Cushions"),
        (
            Shape("square", "square cushion", furnishing.square_cushion),
            Shape("round", "round cushion", furnishing.round_cushion, 1.1),
            Shape("lumbar", "lumbar cushion", furnishing.lumbar_cushion, 0.95),
            Shape("tasselled", "tasselled cushion", furnishing.tasselled_cushion, 1.2),
        ),
        _PRINTS, ("cotton", "linen", "velvet", "wool"), 27, "With a washable cover and a feather filling.",
    ),
    ProductType(
        "BOT", "shoes/boots", ("Shoes", "Boots"),
        (
            Shape("Chelsea", "Chelsea boots", footwear.chelsea_boot),
            Shape("lace-up", "lace-up boots", footwear.lace_up_boot, 1.1),
            Shape("knee-high", "knee-high boots", footwear.knee_boot, 1.35),
        ),
        ("two-tone", "floral", "checked", "dotted"), ("leather", "suede"), 75, "Lined, with a welted sole.",
    ),
    ProductType(
        "SOF", "furniture/sofas", ("Furniture", "Sofas"),
        (
            Shape("two-seat", "two-seat sofa", furnishing.two_seat_sofa),
            Shape("three-seat", "three-seat sofa", furnishing.three_seat_sofa, 1.35),
            Shape("bench", "bench sofa", furnishing.bench_sofa, 0.8),
        ),
        ("striped", "checked", "floral", "zigzag"), ("linen", "velvet", "leather", "wool"), 690,
        "Deep seats with covers that come off.",
    ),
    ProductType(
        "SUN", "accessories/sunglasses", ("Accessories", "Sunglasses"),
        (
            Shape("round", "round sunglasses", accessories.round_sunglasses),
            Shape("square", "square sunglasses", accessories.square_sunglasses),
            Shape("cat-eye", "cat-eye sunglasses", accessories.cat_eye_sunglasses, 1.1),
            Shape("aviator", "aviator sunglasses", accessories.aviator_sunglasses, 1.15),
        ),
        ("two-tone", "striped", "speckled", "checked"), ("acetate", "plastic"), 59,
        "Category 3 lenses, full UV protection.",
    ),
    ProductType(
        "JMP", "clothing/knitwear", ("Clothing", "Knitwear"),
        (
            Shape("crew neck", "crew-neck jumper", clothing.crew_jumper),
            Shape("roll neck", "roll-neck jumper", clothing.roll_neck_jumper, 1.1),
            Shape("cardigan", "cardigan", clothing.cardigan, 1.2),
        ),
        ("striped", "zigzag", "two-tone", "dotted"), ("wool",), 49, "Knitted in a soft medium gauge.",
    ),
    ProductType(
        "PLT", "home/plates", ("Home", "Plates"),
        (
            Shape("coupe", "coupe plate", tableware.coupe_plate),
            Shape("rimmed", "rimmed plate", tableware.rimmed_plate, 1.1),
            Shape("oval", "oval platter", tableware.oval_plate, 1.5),
            Shape("square", "square plate", tableware.square_plate),
        ),
        _GLAZES, ("stoneware", "porcelain", "enamel"), 16, "Stacks well, safe in the oven to 180 degrees.",
    ),
    ProductType(
        "HAT", "accessories/hats", ("Accessories", "Hats"),
        (
            Shape("bucket", "bucket hat", accessories.bucket_hat),
            Shape("cap", "cap", accessories.baseball_cap, 0.9),
            Shape("fedora", "fedora", accessories.fedora_hat, 1.5),
            Shape("beanie", "bobble hat", accessories.beanie_hat, 0.9),
        ),
        ("two-tone", "striped", "checked", "zigzag"), ("felt", "wool", "cotton"), 29, "Keeps its shape in a suitcase.",
    ),
    ProductType(
        "TRS", "clothing/trousers", ("Clothing", "Trousers"),
        (
            Shape("straight", "straight trousers", clothing.straight_trousers),
            Shape("wide", "wide-leg trousers", clothing.wide_trousers, 1.1),
            Shape("tapered", "tapered trousers", clothing.tapered_trousers),
            Shape("shorts", "shorts", clothing.shorts, 0.7),
        ),
        ("striped", "checked", "floral", "dotted"), ("cotton", "denim", "linen"), 54, "A mid rise with four pockets.",
    ),
    ProductType(
        "BTL", "home/bottles", ("Home", "Bottles"),
        (
            Shape("slim", "slim bottle", tableware.slim_bottle),
            Shape("flask", "flask", tableware.flask_bottle, 1.2),
            Shape("carafe", "carafe", tableware.carafe_bottle, 1.1),
        ),
        _GLAZES, ("steel", "enamel", "glass"), 22, "Holds 750 ml without a drop lost.",
    ),
)  # fmt: skip
