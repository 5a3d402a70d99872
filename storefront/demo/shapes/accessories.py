"""Accessories: watches, sunglasses and hats."""

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import BLACK, BRASS, STEEL, WALNUT, WHITE
from storefront.demo.outlines import Outline, box, ellipse, flipped, moved, path, smooth, stitches, stroke
from storefront.demo.relief import Flat, Soft
from storefront.demo.scene import Drawing, Layer

_ROSE = (0.80, 0.58, 0.49)
_LENS = (0.16, 0.18, 0.20)


def round_watch(appearance: Appearance) -> Drawing:
    """A round case with a plain dial."""
    return _watch(appearance, ellipse(0, 0, 33), ellipse(0, 0, 28.5))


def square_watch(appearance: Appearance) -> Drawing:
    """A square case with soft corners."""
    return _watch(appearance, box(-29, -30, 29, 30, 9), box(-24.5, -25.5, 24.5, 25.5, 6))


def chronograph_watch(appearance: Appearance) -> Drawing:
    """A round case with three small dials and two pushers."""
    drawing = _watch(appearance, ellipse(0, 0, 35), ellipse(0, 0, 29.5), dials=True)
    pushers = box(32, -20, 41, -13, 2), box(32, 13, 41, 20, 2)
    return Drawing(
        [Layer(pushers, appearance.solid(_metal(appearance), "steel"), Soft(2, 3, 0)), *drawing.layers], standing=False
    )


def round_sunglasses(appearance: Appearance) -> Drawing:
    """Two circles and a keyhole bridge."""
    return _sunglasses(appearance, ellipse(38, 0, 31), ellipse(38, 0, 25.5))


def square_sunglasses(appearance: Appearance) -> Drawing:
    """Broad at the brow."""
    rim = path("M6,-26 C28,-32 58,-32 77,-27 C77,-6 74,14 62,23 C50,29 28,29 18,21 C9,11 5,-8 6,-26")
    lens = path("M12,-20 C30,-25 56,-25 71,-21 C71,-5 68,10 59,18 C49,23 31,23 22,16 C15,8 11,-6 12,-20")
    return _sunglasses(appearance, rim, lens)


def cat_eye_sunglasses(appearance: Appearance) -> Drawing:
    """Swept up at the outer corners."""
    rim = path("M6,-14 C24,-26 58,-32 84,-38 C84,-14 76,14 58,22 C44,28 22,25 14,15 C8,7 5,-4 6,-14")
    lens = path("M12,-10 C28,-19 54,-24 75,-28 C74,-10 68,10 55,16 C44,21 26,19 19,11 C14,5 11,-3 12,-10")
    return _sunglasses(appearance, rim, lens)


def aviator_sunglasses(appearance: Appearance) -> Drawing:
    """Drop-shaped lenses under a double bridge."""
    rim = path("M7,-22 C24,-28 58,-29 72,-22 C78,-6 72,20 56,28 C38,33 18,20 11,2 C7,-8 6,-16 7,-22")
    lens = path("M11,-18 C26,-23 56,-24 68,-18 C73,-5 68,17 54,24 C39,28 22,17 15,1 C11,-8 10,-13 11,-18")
    drawing = _sunglasses(appearance, rim, lens)
    bar = Layer((stroke(path("M-20,-25 L20,-25"), 3.6),), appearance.solid(), Soft(1.6, 3, 0), lift=0.6)
    return Drawing([*drawing.layers, bar], standing=False)


def bucket_hat(appearance: Appearance) -> Drawing:
    """A soft crown and a sloping brim."""
    crown = path("M-38,4 C-38,-20 -36,-36 -30,-42 C-14,-48 14,-48 30,-42 C36,-36 38,-20 38,4 C16,11 -16,11 -38,4")
    brim = path("M-38,0 C-16,9 16,9 38,0 C52,10 66,24 72,36 C44,52 -44,52 -72,36 C-66,24 -52,10 -38,0")
    cloth = appearance.surface(13, start=4)
    layers = [
        Layer((crown,), cloth, Soft(13, 15, 0.5, shift=appearance.variation)),
        Layer((brim,), cloth, Soft(9, 11, 0.4), lift=1.4),
        *[
            Layer(
                tuple(stitches(path(f"M{-40 - k},{3 + k} C-18,{13 + k} 18,{13 + k} {40 + k},{3 + k}"), 0.7, 2.2)),
                appearance.solid(appearance.shade(0.65), "cotton"),
                opacity=0.5,
                inside=(brim,),
            )
            for k in (7, 15, 23)
        ],
    ]
    return Drawing(layers)


def baseball_cap(appearance: Appearance) -> Drawing:
    """A round crown and a peak to one side."""
    crown = path("M-52,22 C-56,-20 -34,-48 -2,-48 C30,-48 50,-24 50,16 C20,26 -24,28 -52,22")
    peak = path("M22,14 C50,8 78,16 86,32 C72,34 48,30 18,34 C2,34 4,20 22,14")
    panel = path("M10,-47 C26,-30 34,-6 34,19")
    cloth = appearance.surface(14, start=-8)
    trim = appearance.solid(appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.86))
    layers = [
        Layer((crown,), cloth, Soft(15, 17, 0.4, shift=appearance.variation)),
        Layer(tuple(stitches(panel, 0.8, 2.2)), appearance.solid(appearance.shade(0.6), "cotton"), opacity=0.5),
        Layer((peak,), trim, Soft(6, 8, 0.1), lift=1.8),
        Layer((ellipse(-1, -48, 5, 3),), trim, Soft(2, 4, 0), lift=0.5),
        Layer(
            (ellipse(14, -24, 1.8), ellipse(-18, -24, 1.8)), appearance.solid(appearance.shade(0.45), "steel"), Flat()
        ),
    ]
    return Drawing(layers)


def fedora_hat(appearance: Appearance) -> Drawing:
    """A pinched crown, a ribbon and a wide brim."""
    crown = path(
        "M-40,18 C-40,-14 -36,-42 -24,-50 C-12,-54 -6,-44 0,-44 C6,-44 12,-54 24,-50 "
        "C36,-42 40,-14 40,18 C16,26 -16,26 -40,18"
    )
    brim = path(
        "M-82,18 C-70,10 -50,14 -38,12 C-14,20 14,20 38,12 C50,14 70,10 82,18 C74,34 34,42 0,42 C-34,42 -74,34 -82,18"
    )
    ribbon = path("M-40,2 C-16,10 16,10 40,2 L41,17 C16,25 -16,25 -41,17 Z")
    band = appearance.solid(
        appearance.accent if appearance.pattern != "plain" else appearance.pick(BLACK, WALNUT, appearance.shade(0.55)),
        "silk",
    )
    layers = [
        Layer((brim,), appearance.surface(14, start=8), Soft(6, 8, 0.2)),
        Layer((crown,), appearance.surface(14, start=-14), Soft(14, 15, 0.3), lift=1.6),
        Layer((ribbon,), band, Soft(3, 3, 0), inside=(crown,), lift=0.6),
    ]
    return Drawing(layers)


def beanie_hat(appearance: Appearance) -> Drawing:
    """A knitted dome with a turned-up edge and a bobble."""
    dome = path("M-48,28 C-52,-10 -36,-46 0,-46 C36,-46 52,-10 48,28 Z")
    edge = path("M-51,16 C-18,22 18,22 51,16 C55,26 55,40 52,48 C18,54 -18,54 -52,48 C-55,40 -55,26 -51,16")
    trim = appearance.solid(appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.92), "wool")
    fluff = smooth(
        [(13 * (1 + 0.08 * (n % 2)) * x, -54 + 13 * (1 + 0.08 * (n % 2)) * y) for n, (x, y) in enumerate(_circle(22))]
    )
    layers = [
        Layer((dome,), appearance.surface(14, start=-10), Soft(16, 18, 0.3)),
        Layer((edge,), trim, Soft(6, 8, 0.2), lift=1.8),
        Layer((fluff,), trim, Soft(8, 10, 0.4), lift=1.0),
    ]
    return Drawing(layers)


def _circle(count: int) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in ellipse(0, 0, 1)[:: max(1, 72 // count)]]


def _metal(appearance: Appearance) -> tuple[float, float, float]:
    return appearance.pick(STEEL, BRASS, _ROSE)


def _watch(appearance: Appearance, case: Outline, dial: Outline, *, dials: bool = False) -> Drawing:
    metal = appearance.solid(_metal(appearance), "steel")
    band = path("M-19,-30 C-19,-50 -16,-70 -15,-86 C-8,-89 8,-89 15,-86 C16,-70 19,-50 19,-30 Z")
    lower = path("M-19,30 C-19,50 -16,70 -15,88 C-8,92 8,92 15,88 C16,70 19,50 19,30 Z")
    lugs = tuple(box(x - 3.5, y - 7, x + 3.5, y + 7, 3) for x in (-19, 19) for y in (-31, 31))
    face = appearance.solid(WHITE if sum(appearance.colour) < 1.9 or appearance.variation < 0.4 else BLACK, "porcelain")
    ink = appearance.solid(BLACK if face.colour == WHITE else WHITE, "felt")
    marks = tuple(moved(box(-0.9, -25, 0.9, -20), 0, 0, turn_deg=30.0 * n) for n in range(12))
    hands = stroke(path("M0,3 L-9,-13"), 2.6, 1.8), stroke(path("M0,4 L13,-17"), 2.0, 1.2)
    strap = appearance.surface(9, start=0)
    layers = [
        Layer((band, lower), strap, Soft(4, 5, 0.2)),
        Layer(
            tuple(dash for line in _strap_seams() for dash in stitches(line, 0.7, 2.0)),
            appearance.solid(appearance.shade(1.5), "cotton"),
            opacity=0.6 if appearance.material.name in {"leather", "canvas"} else 0.0,
        ),
        Layer((box(33, -4, 40, 4, 2), *lugs), metal, Soft(2, 3, 0)),
        Layer((case,), metal, Soft(3.4, 6, 0), lift=1.4),
        Layer((dial,), face, Soft(2.4, -3, 0)),
        Layer(marks, ink),
    ]
    if dials:
        small = tuple(ellipse(x, y, 7.2) for x, y in ((-12, 0), (12, 0), (0, 12)))
        layers.append(Layer(small, appearance.solid(appearance.colour, "porcelain"), Soft(2, -2, 0)))
    layers += [
        Layer(hands, ink, lift=0.6),
        Layer((ellipse(0, 0, 2),), metal, Soft(1, 1, 0)),
        Layer(
            (path("M-24,-24 C-10,-34 8,-32 16,-28 L-22,16 C-34,2 -30,-16 -24,-24"),),
            appearance.solid(WHITE),
            inside=(dial,),
            opacity=0.10,
        ),
    ]
    return Drawing(layers, standing=False)


def _strap_seams() -> list[Outline]:
    side = [path("M15.5,-40 C15,-60 12.5,-72 12,-83"), path("M15.5,40 C15,60 12.5,72 12,85")]
    return side + [flipped(line) for line in side]


def _sunglasses(appearance: Appearance, rim: Outline, lens: Outline) -> Drawing:
    frame = appearance.surface(9, start=-8)
    arm = stroke(path("M72,-18 C80,-26 78,-44 70,-62"), 5.5, 4)
    tint = appearance.pick(_LENS, (0.24, 0.17, 0.12), (0.13, 0.20, 0.18))
    shine = path("M14,-30 L30,-30 L6,30 L-10,30 Z")
    glints = tuple(moved(shine, x, 0) for x in (34, -42))
    layers = [
        Layer((arm, flipped(arm)), frame, Soft(2.4, 4, 0), tone=0.9),
        Layer((stroke(path("M-12,-8 C-6,-15 6,-15 12,-8"), 5.5),), frame, Soft(2.4, 4, 0), lift=0.6),
        Layer((lens, flipped(lens)), appearance.solid(tint, "glass"), Flat(-0.9), opacity=0.90),
        Layer(glints, appearance.solid(WHITE), inside=(lens, flipped(lens)), opacity=0.13),
        Layer((rim, flipped(rim)), frame, Soft(2.6, 5, 0), holes=(lens, flipped(lens)), lift=1.2),
    ]
    return Drawing(layers, standing=False)
