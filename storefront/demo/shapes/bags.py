"""Bags: handbags and backpacks, standing and seen from the front."""

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import BRASS, STEEL, TAN, WALNUT
from storefront.demo.outlines import Outline, box, ellipse, flipped, path, stitches, stroke, symmetric
from storefront.demo.relief import Flat, Soft
from storefront.demo.scene import Drawing, Layer

_BODY = Soft(12, 12, 0.5)
_STRAP = Soft(2.4, 4, 0)


def tote_bag(appearance: Appearance) -> Drawing:
    """Open at the top, two long handles."""
    body = symmetric("M0,-22 L46,-22 C50,10 52,40 52,60 C52,64 50,66 46,66 L0,66")
    trim = _trim(appearance)
    back = stroke(path("M-24,-20 C-22,-84 22,-84 24,-20"), 5)
    front = stroke(path("M-27,2 C-27,-96 27,-96 27,2"), 5.5)
    tabs = (box(-31, -6, -23, 10, 2), box(23, -6, 31, 10, 2))
    layers = [
        Layer((back,), appearance.solid(trim, "leather"), _STRAP, tone=0.8),
        Layer((path("M-46,-22 C-20,-27 20,-27 46,-22 Z"),), appearance.solid(appearance.shade(0.5))),
        Layer((body,), appearance.surface(16, start=24), _BODY),
        Layer((front,), appearance.solid(trim, "leather"), _STRAP, lift=1.4),
        Layer(tabs, appearance.solid(trim, "leather"), _STRAP, lift=0.5),
        *_stitched(appearance, path("M-46,-18 L46,-18")),
    ]
    return Drawing(layers)


def satchel_bag(appearance: Appearance) -> Drawing:
    """A flap with a clasp and one short handle."""
    body = box(-60, -18, 60, 60, 12)
    flap = path(
        "M-60,-14 C-60,-24 -54,-28 -46,-28 L46,-28 C54,-28 60,-24 60,-14 "
        "C60,10 54,26 40,28 L-40,28 C-54,26 -60,10 -60,-14"
    )
    handle = stroke(path("M-26,-26 C-28,-66 28,-66 26,-26"), 6)
    cloth = appearance.surface(15, start=22)
    layers = [
        Layer((handle,), appearance.solid(_trim(appearance), "leather"), Soft(3, 6, 0)),
        Layer((box(-30, -32, -22, -22, 2), box(22, -32, 30, -22, 2)), appearance.solid(BRASS, "steel"), Soft(2, 3, 0)),
        Layer((body,), cloth, _BODY),
        Layer((flap,), cloth, Soft(6, 7, 0.5), lift=2.2),
        *_stitched(appearance, path("M-56,-14 C-56,8 -50,22 -40,24 L40,24 C50,22 56,8 56,-14")),
        *_clasp(appearance, 0, 26),
    ]
    return Drawing(layers)


def bucket_bag(appearance: Appearance) -> Drawing:
    """Gathered by a cord, with a shoulder strap."""
    body = symmetric("M0,-26 L34,-28 C40,0 46,30 46,56 C44,64 36,66 28,66 L0,66")
    strap = stroke(path("M-36,-20 C-50,-96 50,-96 36,-20"), 5)
    cord = stroke(path("M-37,-12 C-16,-8 16,-8 37,-12"), 2.6)
    ends = stroke(path("M-4,-10 C-10,4 -12,14 -10,24"), 2.4), stroke(path("M4,-10 C8,4 12,12 10,20"), 2.4)
    base = path("M-46,50 C-20,54 20,54 46,50 C48,64 40,68 28,68 L-28,68 C-40,68 -48,64 -46,50")
    layers = [
        Layer((strap,), appearance.solid(_trim(appearance), "leather"), _STRAP),
        Layer((ellipse(0, -27, 34, 6),), appearance.solid(appearance.shade(0.45))),
        Layer((body,), appearance.surface(15, start=14), Soft(13, 14, 1.0, shift=appearance.variation)),
        Layer((base,), appearance.solid(_trim(appearance), "leather"), Soft(4, 5, 0), inside=(body,), lift=0.8),
        Layer((cord, *ends), appearance.solid(_trim(appearance), "leather"), Soft(1.4, 2, 0), lift=0.8),
        Layer((ellipse(-10, 26, 3), ellipse(10, 22, 3)), appearance.solid(BRASS, "steel"), Soft(1.4, 2, 0), lift=0.8),
    ]
    return Drawing(layers)


def hobo_bag(appearance: Appearance) -> Drawing:
    """A soft half moon on a broad strap."""
    body = path("M-62,-6 C-40,10 40,10 62,-6 C72,22 60,58 30,64 C10,67 -10,67 -30,64 C-60,58 -72,22 -62,-6")
    strap = path(
        "M-62,-4 C-66,-60 -30,-80 0,-80 C30,-80 66,-60 62,-4 L52,4 C54,-46 28,-66 0,-66 C-28,-66 -54,-46 -52,4 Z"
    )
    cloth = appearance.surface(15, start=30)
    layers = [
        Layer(
            (strap,),
            cloth if appearance.pattern != "two-tone" else appearance.solid(appearance.accent),
            Soft(5, 7, 0.4),
        ),
        Layer((body,), cloth, Soft(15, 16, 1.2, shift=appearance.variation), lift=1.6),
        *_stitched(appearance, path("M-60,0 C-40,15 40,15 60,0")),
        Layer((stroke(path("M-40,8 C-20,12 20,12 40,8"), 1.6),), appearance.solid(BRASS, "steel"), Flat()),
    ]
    return Drawing(layers)


def classic_backpack(appearance: Appearance) -> Drawing:
    """Rounded, with a front pocket and a grab loop."""
    body = symmetric("M0,-66 C26,-66 42,-56 44,-30 C46,0 47,30 46,54 C45,66 36,70 26,70 L0,70")
    pocket = symmetric("M0,14 L30,14 C34,14 36,17 36,22 C36,40 36,50 34,58 C30,64 12,64 0,64")
    cloth = appearance.surface(15, start=8)
    layers = [
        *_shoulder_straps(appearance),
        Layer(
            (stroke(path("M-10,-62 C-12,-82 12,-82 10,-62"), 4.5),),
            appearance.solid(_trim(appearance), "canvas"),
            _STRAP,
        ),
        Layer((body,), cloth, _BODY),
        *_zip(appearance, path("M-41,-14 C-40,-46 -26,-58 0,-58 C26,-58 40,-46 41,-14")),
        Layer((pocket,), cloth, Soft(6, 8, 0.4), lift=1.8),
        *_zip(appearance, path("M-31,22 L31,22")),
        Layer((box(-8, -36, 8, -24, 2),), appearance.solid(TAN, "leather"), _STRAP, lift=0.6),
    ]
    return Drawing(layers)


def roll_top_backpack(appearance: Appearance) -> Drawing:
    """Rolled shut and buckled."""
    body = symmetric("M0,-44 L42,-44 C45,0 46,36 45,60 C44,68 36,70 28,70 L0,70")
    roll = box(-46, -64, 46, -42, 9)
    strap = box(-5, -66, 5, 20, 2)
    layers = [
        *_shoulder_straps(appearance),
        Layer((body,), appearance.surface(15, start=16), _BODY),
        Layer((roll,), appearance.surface(15, start=16), Soft(8, 10, 0.4), lift=2.0),
        Layer((strap,), appearance.solid(_trim(appearance), "leather"), _STRAP, lift=1.0),
        *_zip(appearance, path("M-34,40 L34,40")),
        *_clasp(appearance, 0, 10),
    ]
    return Drawing(layers)


def flap_backpack(appearance: Appearance) -> Drawing:
    """A flap over the top and two buckled straps."""
    body = symmetric("M0,-50 L40,-50 C46,-20 48,30 47,58 C46,68 38,70 28,70 L0,70")
    flap = symmetric("M0,-64 C26,-64 46,-58 48,-44 C49,-26 47,-8 44,6 C30,12 14,12 0,12")
    pockets = box(-62, 16, -40, 62, 9), box(40, 16, 62, 62, 9)
    cloth = appearance.surface(15, start=12)
    straps = tuple(box(x - 4, -18, x + 4, 34, 2) for x in (-22, 22))
    layers = [
        *_shoulder_straps(appearance),
        Layer(
            (stroke(path("M-10,-60 C-12,-80 12,-80 10,-60"), 4.5),),
            appearance.solid(_trim(appearance), "leather"),
            _STRAP,
        ),
        Layer(pockets, cloth, Soft(6, 8, 0.3), tone=0.92),
        Layer((body,), cloth, _BODY, lift=1.0),
        Layer((flap,), cloth, Soft(8, 9, 0.5), lift=2.4),
        Layer(straps, appearance.solid(_trim(appearance), "leather"), _STRAP, lift=1.0),
        *[layer for x in (-22, 22) for layer in _buckle(appearance, x, 20)],
    ]
    return Drawing(layers)


def _trim(appearance: Appearance) -> tuple[float, float, float]:
    return (
        appearance.accent if appearance.pattern == "two-tone" else appearance.pick(TAN, WALNUT, appearance.shade(0.6))
    )


def _stitched(appearance: Appearance, line: Outline) -> list[Layer]:
    return [Layer(tuple(stitches(line, 0.8, 2.4)), appearance.solid(appearance.shade(1.45), "cotton"), opacity=0.65)]


def _clasp(appearance: Appearance, x: float, y: float) -> list[Layer]:
    return [
        Layer((box(x - 8, y - 7, x + 8, y + 7, 3),), appearance.solid(BRASS, "steel"), Soft(2, 3, 0), lift=0.8),
        Layer((box(x - 4, y - 2, x + 4, y + 2, 1.5),), appearance.solid((0.5, 0.38, 0.2), "steel"), Flat()),
    ]


def _buckle(appearance: Appearance, x: float, y: float) -> list[Layer]:
    frame = box(x - 7, y - 5, x + 7, y + 5, 2)
    return [
        Layer(
            (frame,),
            appearance.solid(BRASS, "steel"),
            Soft(1.4, 2, 0),
            holes=(box(x - 4, y - 2.5, x + 4, y + 2.5, 1),),
            lift=0.6,
        )
    ]


def _zip(appearance: Appearance, line: Outline) -> list[Layer]:
    pull = line[-1]
    return [
        Layer((stroke(line, 3.2),), appearance.solid(appearance.shade(0.55), "canvas"), Flat()),
        Layer(tuple(stitches(line, 1.2, 0.9)), appearance.solid(STEEL, "steel"), Flat()),
        Layer(
            (box(pull[0] - 1.8, pull[1], pull[0] + 1.8, pull[1] + 9, 1.8),),
            appearance.solid(TAN, "leather"),
            _STRAP,
            lift=0.6,
        ),
    ]


def _shoulder_straps(appearance: Appearance) -> list[Layer]:
    strap = stroke(path("M30,-54 C62,-40 66,20 44,58"), 7)
    return [Layer((strap, flipped(strap)), appearance.solid(appearance.shade(0.7), "canvas"), _STRAP, tone=0.9)]
