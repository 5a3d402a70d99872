"""The colours, patterns and materials of the demo products."""

from dataclasses import dataclass

Rgb = tuple[float, float, float]  # 0 to 1


@dataclass(frozen=True)
class Colour:
    """A named colour, and the colour of the patterns printed on it (`partner`)."""

    name: str
    hex: str
    partner: str

    @property
    def rgb(self) -> Rgb:
        """Red, green and blue, 0 to 1."""
        return hex_rgb(self.hex)


@dataclass(frozen=True)
class Pattern:
    """A surface design; ``adjective`` is used in titles, ``phrase`` in descriptions."""

    name: str
    adjective: str
    phrase: str


@dataclass(frozen=True)
class Material:
    """A material and its optical properties.

    Attributes:
        name: in attributes and titles.
        texture: name of a texture in `surfaces`.
        gloss: strength of the specular reflection, 0 to 1.
        polish: specular exponent.
        drape: depth of folds.
        price: factor on the price of the product type.
        care: sentence of the description.
    """

    name: str
    texture: str
    gloss: float
    polish: float
    drape: float
    price: float
    care: str


def hex_rgb(code: str) -> Rgb:
    """``"#2f6690"`` as red, green and blue from 0 to 1."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


COLOURS = {
    colour.name: colour
    for colour in (
        Colour("ocean blue", "#2f6492", "cream"),
        Colour("sky blue", "#93bcd8", "cream"),
        Colour("teal", "#2b8580", "cream"),
        Colour("forest green", "#3d6448", "cream"),
        Colour("sage", "#a3b18a", "cream"),
        Colour("mustard", "#d9a23a", "charcoal"),
        Colour("terracotta", "#c4664a", "cream"),
        Colour("blush", "#e2aaa2", "burgundy"),
        Colour("burgundy", "#7c2c3e", "cream"),
        Colour("lavender", "#a597c6", "cream"),
        Colour("charcoal", "#41454c", "cream"),
        Colour("cream", "#ece3d0", "ocean blue"),
        Colour("chestnut", "#87563a", "cream"),
    )
}

PATTERNS = {
    pattern.name: pattern
    for pattern in (
        Pattern("plain", "", "in one even colour"),
        Pattern("striped", "striped", "with even stripes"),
        Pattern("dotted", "polka-dot", "with polka dots"),
        Pattern("checked", "checked", "in a woven-look check"),
        Pattern("floral", "floral", "with scattered flowers"),
        Pattern("zigzag", "zigzag", "with a zigzag band repeat"),
        Pattern("two-tone", "two-tone", "in two clear tones"),
        Pattern("speckled", "speckled", "with fine speckles"),
    )
}

MATERIALS = {
    material.name: material
    for material in (
        Material("cotton", "weave", 0.0, 8, 0.8, 1.0, "Machine wash at 30 degrees."),
        Material("linen", "slub", 0.0, 8, 1.0, 1.35, "Softens with every wash."),
        Material("denim", "twill", 0.0, 8, 0.7, 1.3, "Wash inside out."),
        Material("wool", "knit", 0.0, 8, 0.6, 1.6, "Hand wash, dry flat."),
        Material("silk", "satin", 0.22, 6, 1.1, 2.1, "Dry clean."),
        Material("velvet", "pile", 0.10, 3, 0.6, 1.5, "Brush with the pile."),
        Material("canvas", "canvas", 0.0, 8, 0.3, 1.0, "Wipe clean with a damp cloth."),
        Material("leather", "grain", 0.26, 14, 0.25, 2.2, "Feed with balm once a season."),
        Material("suede", "pile", 0.02, 4, 0.2, 1.8, "Use a soft brush."),
        Material("felt", "felt", 0.0, 6, 0.15, 1.1, "Brush lightly."),
        Material("straw", "straw", 0.05, 8, 0.0, 0.9, "Keep dry."),
        Material("stoneware", "stone", 0.30, 18, 0.0, 1.0, "Dishwasher safe."),
        Material("porcelain", "smooth", 0.62, 60, 0.0, 1.4, "Dishwasher safe."),
        Material("clay", "clay", 0.04, 8, 0.0, 0.8, "Wipe with a dry cloth."),
        Material("glass", "smooth", 0.75, 80, 0.0, 1.3, "Hand wash."),
        Material("steel", "brushed", 0.55, 30, 0.0, 1.3, "Hand wash, lasts for years."),
        Material("enamel", "smooth", 0.55, 45, 0.0, 1.0, "Dishwasher safe."),
        Material("acetate", "smooth", 0.60, 50, 0.0, 1.4, "Clean with the cloth enclosed."),
        Material("plastic", "smooth", 0.35, 30, 0.0, 0.7, "Wipe clean."),
        Material("wood", "wood", 0.10, 10, 0.0, 1.4, "Oil once a year."),
    )
}

# Colours of parts that do not depend on the colour of the product.
OAK = hex_rgb("#c49a6a")
WALNUT = hex_rgb("#7a5338")
BRASS = hex_rgb("#c9a35c")
STEEL = hex_rgb("#b9bdc2")
BLACK = hex_rgb("#2a2b2e")
WHITE = hex_rgb("#f4f2ec")
TAN = hex_rgb("#b07f52")
RUBBER = hex_rgb("#efeae0")
