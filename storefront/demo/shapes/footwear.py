"""Shoes seen from the side: sneakers and boots."""

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import BLACK, BRASS, RUBBER, TAN, WALNUT, WHITE
from storefront.demo.outlines import Outline, ellipse, path, stitches, stroke
from storefront.demo.relief import Flat, Soft
from storefront.demo.scene import Drawing, Layer

_BODY = Soft(9, 11, 0.3)
_PANEL = Soft(2.2, 3, 0.1)
_SOLE = path(
    "M-74,28 C-76,22 -74,18 -70,18 C-40,24 30,24 74,22 C80,26 80,34 74,38 C40,42 -40,42 -68,40 C-74,38 -76,34 -74,28"
)


def low_sneaker(appearance: Appearance) -> Drawing:
    """Laced, below the ankle."""
    upper = path(
        "M-70,24 C-74,6 -72,-14 -66,-26 C-56,-22 -44,-22 -34,-30 C-26,-24 -10,-10 8,-2 "
        "C28,4 58,2 70,14 C76,20 76,26 74,28 C30,32 -40,32 -70,24"
    )
    opening = path("M-66,-26 C-56,-20 -44,-20 -34,-30 C-40,-36 -60,-34 -66,-26")
    return _sneaker(appearance, upper, opening, lace_from=(-25, -17), lace_to=(12, 6), rows=5)


def high_sneaker(appearance: Appearance) -> Drawing:
    """Laced over the ankle."""
    upper = path(
        "M-70,24 C-74,4 -72,-30 -70,-58 C-58,-54 -40,-54 -26,-60 C-24,-44 -16,-20 6,-4 "
        "C28,4 58,2 70,14 C76,20 76,26 74,28 C30,32 -40,32 -70,24"
    )
    opening = path("M-70,-58 C-58,-53 -40,-53 -26,-60 C-38,-67 -62,-66 -70,-58")
    return _sneaker(appearance, upper, opening, lace_from=(-24, -48), lace_to=(10, 2), rows=7)


def slip_on_sneaker(appearance: Appearance) -> Drawing:
    """Without laces, with elastic at the side."""
    upper = path(
        "M-70,24 C-74,8 -72,-8 -66,-18 C-52,-12 -36,-12 -16,-22 C6,-18 30,-8 50,0 "
        "C64,5 75,14 75,26 C30,32 -40,32 -70,24"
    )
    opening = path("M-66,-18 C-52,-10 -36,-10 -16,-22 C-30,-28 -58,-28 -66,-18")
    gore = path("M-30,-15 C-24,-6 -20,4 -16,10 C-10,0 -8,-10 -6,-20 C-14,-20 -22,-17 -30,-15")
    layers = [
        Layer((opening,), appearance.solid(appearance.shade(0.45), "felt"), Flat()),
        Layer((upper,), appearance.surface(13, start=4), _BODY),
        Layer((gore,), appearance.solid(appearance.shade(0.6), "wool"), _PANEL, lift=0.4),
        Layer(
            (stroke(path("M-67,-18 C-52,-11 -36,-11 -15,-22"), 3.5),),
            appearance.solid(appearance.shade(0.8)),
            _PANEL,
            lift=0.5,
        ),
        *_rubber_sole(appearance),
    ]
    return Drawing(layers)


def chelsea_boot(appearance: Appearance) -> Drawing:
    """Elastic at the ankle and a pull tab."""
    gore = path("M-38,-48 C-36,-20 -34,-8 -26,2 C-16,-8 -12,-24 -12,-48 Z")
    tab = stroke(path("M-56,-52 C-64,-60 -64,-68 -56,-66 L-54,-52"), 4)
    details = [
        Layer((gore,), appearance.solid(appearance.shade(0.5), "wool"), _PANEL, lift=0.4),
        *_stitched(appearance, path("M-40,-48 C-38,-18 -36,-4 -26,6 C-14,-6 -10,-24 -10,-48")),
    ]
    return _boot(appearance, details, behind=[Layer((tab,), appearance.solid(appearance.shade(0.6)), _PANEL)])


def lace_up_boot(appearance: Appearance) -> Drawing:
    """Laced from the instep to the top."""
    facing = path("M-12,-50 L4,-50 C4,-30 6,-14 22,2 L10,10 C-6,-4 -12,-26 -12,-50")
    toe = path("M36,2 C58,4 76,14 77,32 L46,34 C48,20 44,10 36,2")
    details = [
        Layer((toe,), appearance.solid(appearance.shade(0.9)), _PANEL, lift=0.6),
        Layer((facing,), appearance.solid(appearance.shade(0.85)), _PANEL, lift=0.6),
        *_laces(appearance, (-4, -44), (14, 0), 7),
    ]
    return _boot(appearance, details)


def knee_boot(appearance: Appearance) -> Drawing:
    """A shaft to the knee and a small heel."""
    return _boot(appearance, _stitched(appearance, path("M-30,-82 C-28,-40 -30,-10 -28,30")), top=-84)


def _sneaker(
    appearance: Appearance,
    upper: Outline,
    opening: Outline,
    lace_from: tuple[float, float],
    lace_to: tuple[float, float],
    rows: int,
) -> Drawing:
    trim = appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.78)
    heel = path("M-71,26 C-75,8 -73,-14 -67,-24 C-58,-20 -52,-4 -50,28 Z")
    toe = path("M40,1 C58,2 75,12 76,28 L42,31 C48,20 46,10 40,1")
    (x0, y0), (x1, y1) = lace_from, lace_to
    facing = path(
        f"M{x0 - 9},{y0 - 3} L{x0 + 2},{y0 - 7} L{x1 + 8},{y1 - 3} C{x1 + 8},{y1 + 6} {x1},{y1 + 8} {x1 - 8},{y1 + 5} Z"
    )
    layers = [
        Layer((opening,), appearance.solid(appearance.shade(0.45), "felt"), Flat()),
        Layer((upper,), appearance.surface(13, start=4), _BODY),
        Layer(
            (toe,),
            appearance.solid(WHITE if appearance.variation < 0.5 else trim, "plastic"),
            _PANEL,
            inside=(upper,),
            lift=0.5,
        ),
        Layer((heel,), appearance.solid(trim), _PANEL, inside=(upper,), lift=0.5),
        Layer((facing,), appearance.solid(trim), _PANEL, lift=0.6),
        *_laces(appearance, lace_from, lace_to, rows),
        *_rubber_sole(appearance),
    ]
    return Drawing(layers)


def _rubber_sole(appearance: Appearance) -> list[Layer]:
    line = path("M-74,32 C-40,36 30,36 77,31")
    return [
        Layer((_SOLE,), appearance.solid(RUBBER, "plastic"), Soft(4, 5, 0), lift=0.8),
        Layer((stroke(line, 1.4),), appearance.solid(appearance.colour, "plastic"), Flat(), opacity=0.8),
    ]


def _laces(appearance: Appearance, start: tuple[float, float], end: tuple[float, float], rows: int) -> list[Layer]:
    laces, eyelets = [], []
    for row in range(rows):
        share = row / (rows - 1)
        x, y = start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
        laces.append(stroke(path(f"M{x - 7},{y + 2} Q{x},{y - 2} {x + 6},{y - 4}"), 2.6))
        eyelets.append(ellipse(x - 7, y + 2, 1.7))
    colour = appearance.pick(WHITE, RUBBER) if sum(appearance.colour) < 2.2 else appearance.shade(0.55)
    return [
        Layer(tuple(eyelets), appearance.solid(BRASS, "steel"), Soft(1, 1, 0)),
        Layer(tuple(laces), appearance.solid(colour, "cotton"), Soft(1.2, 2, 0), lift=0.7),
    ]


def _stitched(appearance: Appearance, line: Outline) -> list[Layer]:
    return [Layer(tuple(stitches(line, 0.8, 2.2)), appearance.solid(appearance.shade(1.5), "cotton"), opacity=0.6)]


def _boot(appearance: Appearance, details: list[Layer], behind: list[Layer] | None = None, top: float = -54) -> Drawing:
    flare = 4 if top < -60 else 0
    upper = path(
        f"M{-60 - flare},{top} C-50,{top + 4} -16,{top + 4} {4 + flare},{top} "
        f"C4,-34 2,-18 14,-8 C30,4 60,2 72,18 C78,26 77,32 76,38 "
        "C40,42 -30,42 -60,40 C-66,20 -62,-8 -60,-20 Z"
    )
    opening = path(
        f"M{-60 - flare},{top} C-50,{top + 5} -16,{top + 5} {4 + flare},{top} "
        f"C-10,{top - 6} -48,{top - 6} {-60 - flare},{top}"
    )
    sole = path("M-64,36 C-20,41 40,41 78,35 C80,40 79,44 76,46 L-22,46 L-24,58 L-63,58 C-64,50 -65,42 -64,36")
    leather_sole = (
        appearance.pick(BLACK, WALNUT, TAN) if appearance.material.name != "plastic" else appearance.shade(0.5)
    )
    layers = [
        *(behind or []),
        Layer((opening,), appearance.solid(appearance.shade(0.42), "felt"), Flat()),
        Layer((upper,), appearance.surface(13, start=-6), Soft(11, 13, 0.6, shift=appearance.variation)),
        *details,
        Layer((sole,), appearance.solid(leather_sole, "plastic"), Soft(3, 4, 0), lift=0.8),
    ]
    return Drawing(layers)
