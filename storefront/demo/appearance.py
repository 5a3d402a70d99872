"""What a shape is drawn from: the colours, pattern and material of a product, and a variation value."""

from dataclasses import dataclass

from storefront.demo.attributes import MATERIALS, WHITE, Material, Rgb
from storefront.demo.surfaces import Surface


@dataclass(frozen=True)
class Appearance:
    """The attributes of a product as numbers.

    Attributes:
        colour: of the body.
        accent: of the pattern.
        pattern: name of a pattern in `attributes.PATTERNS`.
        material: of the body.
        variation: 0 to 1; selects the details that no attribute names.
    """

    colour: Rgb
    accent: Rgb
    pattern: str
    material: Material
    variation: float

    def surface(self, repeat: float = 14.0, start: float = 0.0, turn: int = 0) -> Surface:
        """The patterned surface of the body; two-tone starts at ``start``."""
        at = start if self.pattern == "two-tone" else round(self.variation * 7, 2)
        size = repeat * (0.94 + 0.12 * self.variation)
        return Surface(self.colour, self.accent, self.pattern, self.material, size, turn, at, self.variation * 100)

    def solid(self, colour: Rgb | None = None, material: str | None = None) -> Surface:
        """The body's colour and material, or another's, without the pattern."""
        made_of = MATERIALS[material] if material else self.material
        return Surface(colour or self.colour, WHITE, "plain", made_of, phase=self.variation * 100)

    def shade(self, factor: float) -> Rgb:
        """The body's colour, darker (below 1) or lighter."""
        red, green, blue = (min(1.0, c * factor) for c in self.colour)
        return red, green, blue

    def pick(self, *choices: Rgb) -> Rgb:
        """One of the choices, selected by `variation`."""
        return choices[int(self.variation * 997) % len(choices)]
