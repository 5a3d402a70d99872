"""Tableware of clay, glass and metal: mugs, vases, plates and bottles."""

from collections.abc import Sequence

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import BRASS, MATERIALS, OAK, STEEL, WHITE, hex_rgb
from storefront.demo.outlines import Outline, box, ellipse, profile_curve, smooth, stroke, turned
from storefront.demo.relief import Flat, Soft, Turned
from storefront.demo.scene import Drawing, Layer
from storefront.demo.surfaces import Surface

_TEA = hex_rgb("#5b3a28")


def straight_mug(appearance: Appearance) -> Drawing:
    """A cylinder with a round handle."""
    return _mug(appearance, [(-44, 37), (30, 37), (38, 36), (43, 32)], handle_y=-2)


def tulip_mug(appearance: Appearance) -> Drawing:
    """Narrow above the belly."""
    profile = profile_curve([(-44, 37), (-30, 33.5), (-5, 35), (18, 40), (34, 37), (45, 25)])
    return _mug(appearance, profile, handle_y=2)


def tapered_mug(appearance: Appearance) -> Drawing:
    """Wide at the rim, narrow at the foot."""
    return _mug(appearance, profile_curve([(-40, 43), (-10, 40), (20, 33), (36, 28), (42, 24)]), handle_y=-10)


def amphora_vase(appearance: Appearance) -> Drawing:
    """Broad shoulders, narrow foot."""
    return _vase(appearance, [(-66, 15), (-56, 12), (-40, 20), (-14, 38), (12, 36), (44, 24), (68, 17)])


def bottle_vase(appearance: Appearance) -> Drawing:
    """A long neck on a round belly."""
    return _vase(appearance, [(-70, 12), (-60, 9), (-30, 9), (-8, 18), (20, 36), (46, 37), (64, 27), (70, 22)])


def bulb_vase(appearance: Appearance) -> Drawing:
    """A ball with a collar."""
    return _vase(appearance, [(-46, 19), (-38, 16), (-26, 24), (0, 43), (28, 46), (50, 36), (60, 25)])


def flared_vase(appearance: Appearance) -> Drawing:
    """Slim, opening like a trumpet."""
    return _vase(appearance, [(-68, 33), (-54, 26), (-24, 19), (16, 18), (48, 22), (68, 25)])


def coupe_plate(appearance: Appearance) -> Drawing:
    """Round, curved up to its edge, patterned all over."""
    return _plate(appearance, ellipse(0, 0, 70), ellipse(0, 0, 52), whole=True)


def rimmed_plate(appearance: Appearance) -> Drawing:
    """Round with a broad patterned rim."""
    return _plate(appearance, ellipse(0, 0, 72), ellipse(0, 0, 44), whole=False)


def oval_plate(appearance: Appearance) -> Drawing:
    """A serving platter."""
    return _plate(appearance, ellipse(0, 0, 80, 54), ellipse(0, 0, 60, 37), whole=True)


def square_plate(appearance: Appearance) -> Drawing:
    """Square with soft corners."""
    return _plate(appearance, box(-63, -63, 63, 63, 20), box(-46, -46, 46, 46, 14), whole=True)


def slim_bottle(appearance: Appearance) -> Drawing:
    """A tall flask with a screw cap of wood."""
    profile = profile_curve([(-48, 11), (-42, 12), (-32, 19), (-22, 22), (-10, 22.5), (30, 22.5), (62, 22), (68, 20)])
    return _bottle(appearance, profile, cap=(-64, -48, 11.5), cap_colour=OAK, cap_material="wood")


def flask_bottle(appearance: Appearance) -> Drawing:
    """Broad, with a steel cap and a loop to carry it."""
    profile = [(-36, 20), (-32, 26), (-26, 29), (-20, 30), (60, 30), (66, 28)]
    loop = Layer(
        (stroke(smooth([(-15, -44), (-16, -64), (0, -72), (16, -64), (15, -44)], closed=False), 5),),
        appearance.solid(appearance.shade(0.5), "plastic"),
        Soft(2, 3, 0),
    )
    return _bottle(appearance, profile, cap=(-52, -36, 19), cap_colour=STEEL, cap_material="steel", behind=[loop])


def carafe_bottle(appearance: Appearance) -> Drawing:
    """A waisted body with a ball stopper."""
    profile = profile_curve([(-40, 15), (-30, 12), (-12, 14), (14, 28), (40, 34), (60, 31), (68, 26)])
    stopper = Layer(
        (ellipse(0, -53, 13, 13),), appearance.solid(BRASS, "steel"), Turned([(-66, 13), (-40, 13)], bow=0.1)
    )
    return _bottle(appearance, profile, cap=(-46, -38, 11), cap_colour=BRASS, cap_material="steel", front=[stopper])


def _mug(appearance: Appearance, profile: Sequence[tuple[float, float]], handle_y: float) -> Drawing:
    top, radius = profile[0]
    bow = 0.20
    glaze = appearance.surface(15, start=8)
    inner = appearance.solid(appearance.pick(WHITE, appearance.shade(1.15)), "porcelain")
    grip = smooth(
        [
            (28, handle_y - 24),
            (48, handle_y - 25),
            (60, handle_y - 12),
            (58, handle_y + 10),
            (46, handle_y + 24),
            (26, handle_y + 30),
        ],
        closed=False,
    )
    colour = appearance.accent if appearance.pattern == "two-tone" else appearance.colour
    return Drawing(
        [
            Layer((stroke(grip, 9.5, 8),), appearance.solid(colour), Soft(4, 7, 0)),
            Layer((turned(profile, bow),), glaze, Turned(profile, bow=bow)),
            Layer((ellipse(0, top, radius, radius * bow),), appearance.solid(colour), Flat(0), tone=1.06),
            *_mouth(inner, top, radius - 2.6, bow),
        ]
    )


def _mouth(glaze: Surface, top: float, radius: float, bow: float) -> list[Layer]:
    opening = ellipse(0, top + 0.4, radius, radius * bow * 0.9)
    drink = ellipse(0, top + radius * bow * 0.62, radius * 0.9, radius * bow * 0.62)
    return [
        Layer((opening,), glaze, Turned([(top - 20, radius * 1.15), (top + 20, radius * 1.15)], wrap=False), tone=0.80),
        Layer((drink,), Surface(_TEA, _TEA, "plain", MATERIALS["porcelain"]), Flat(), inside=(opening,)),
    ]


def _vase(appearance: Appearance, points: Sequence[tuple[float, float]]) -> Drawing:
    profile = profile_curve(points)
    top, radius = profile[0]
    bow = 0.17
    glaze = appearance.surface(14, start=-4)
    lip = appearance.solid(appearance.accent if appearance.pattern == "two-tone" else appearance.colour)
    opening = ellipse(0, top + 0.3, radius - 1.8, (radius - 1.8) * bow)
    return Drawing(
        [
            Layer((turned(profile, bow),), glaze, Turned(profile, bow=bow)),
            Layer((ellipse(0, top, radius, radius * bow),), lip, Flat(0), tone=1.08),
            Layer((opening,), lip, Turned([(top - 20, radius * 1.1), (top + 20, radius * 1.1)], wrap=False), tone=0.40),
        ]
    )


def _plate(appearance: Appearance, edge: Outline, well: Outline, *, whole: bool) -> Drawing:
    pattern = appearance.surface(17, start=-6)
    layers = [Layer((edge,), pattern, Soft(7, 7, 0)), Layer((edge * 0.985,), pattern, Soft(22, -5, 0))]
    if whole:
        layers.append(Layer((well,), pattern, Soft(9, -4, 0), tone=1.0))
    else:
        layers.append(Layer((well,), appearance.solid(WHITE), Soft(8, -5, 0), tone=1.0))
        layers.append(Layer((edge,), appearance.solid(appearance.colour), Soft(3, 4, 0), holes=(edge * 0.965,)))
    return Drawing(layers, standing=False)


def _bottle(
    appearance: Appearance,
    profile: Sequence[tuple[float, float]],
    cap: tuple[float, float, float],
    cap_colour: tuple[float, float, float],
    cap_material: str,
    behind: Sequence[Layer] = (),
    front: Sequence[Layer] = (),
) -> Drawing:
    top, bottom, radius = cap
    bow = 0.14
    lid = [(top, radius), (bottom, radius)]
    return Drawing(
        [
            *behind,
            Layer((turned(profile, bow),), appearance.surface(13, start=4), Turned(profile, bow=bow)),
            Layer((turned(lid, bow),), appearance.solid(cap_colour, cap_material), Turned(lid, bow=bow), lift=1.5),
            Layer(
                (ellipse(0, top, radius, radius * bow),), appearance.solid(cap_colour, cap_material), Flat(0), tone=1.12
            ),
            *front,
        ]
    )
