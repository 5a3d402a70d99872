"""A look is what a shape needs to know of a product to draw it: its colours, pattern, material and a few whims."""

from dataclasses import dataclass

from storefront.demo.attributes import MATERIALS, WHITE, Material, Rgb
from storefront.demo.surfaces import Surface


@dataclass(frozen=True)
class Look:
    """The known attributes as numbers. whim: 0 to 1, settles the details that no attribute names."""

    colour: Rgb
    accent: Rgb
    pattern: str
    material: Material
    whim: float

    def cover(self, repeat: float = 14.0, start: float = 0.0, turn: int = 0) -> Surface:
        """The patterned surface of the body; two-tone begins at ``start``."""
        at = start if self.pattern == "two-tone" else round(self.whim * 7, 2)
        size = repeat * (0.94 + 0.12 * self.whim)
        return Surface(self.colour, self.accent, self.pattern, self.material, size, turn, at, self.whim * 100)

    def plain(self, colour: Rgb | None = None, material: str | None = None) -> Surface:
        """The body's colour and material, or another's, without the pattern."""
        made_of = MATERIALS[material] if material else self.material
        return Surface(colour or self.colour, WHITE, "plain", made_of, phase=self.whim * 100)

    def shade(self, factor: float) -> Rgb:
        """The body's colour, darker (below 1) or lighter."""
        red, green, blue = (min(1.0, c * factor) for c in self.colour)
        return red, green, blue

    def pick(self, *choices: Rgb) -> Rgb:
        """One of the choices, by whim."""
        return choices[int(self.whim * 997) % len(choices)]
