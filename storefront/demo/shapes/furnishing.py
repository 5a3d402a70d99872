"""Furniture and furnishings: lamps, chairs, sofas and cushions."""

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import BRASS, OAK, WALNUT, WHITE
from storefront.demo.outlines import Outline, box, ellipse, flipped, path, profile_curve, stitches, stroke, turned
from storefront.demo.relief import Flat, Soft, Turned
from storefront.demo.scene import Drawing, Layer

_CUSHION = Soft(12, 14, 0.4)


def drum_lamp(appearance: Appearance) -> Drawing:
    """A straight shade on a turned base."""
    base = profile_curve([(-4, 4), (6, 6), (20, 17), (40, 22), (58, 15), (64, 19), (70, 20)])
    return _lamp(appearance, [(-66, 36), (-6, 42)], base)


def cone_lamp(appearance: Appearance) -> Drawing:
    """A tapered shade on a slim stem."""
    base = [(-4.0, 2.6), (60.0, 2.6), (62.0, 8.0), (65.0, 25.0), (70.0, 26.0)]
    return _lamp(appearance, [(-70, 18), (-4, 46)], base)


def dome_lamp(appearance: Appearance) -> Drawing:
    """A bell of a shade on a fluted base."""
    base = profile_curve([(-10, 4), (10, 5), (30, 12), (54, 20), (62, 24), (70, 24)])
    return _lamp(appearance, profile_curve([(-58, 8), (-54, 20), (-40, 35), (-22, 44), (-8, 48)]), base)


def dining_chair(appearance: Appearance) -> Drawing:
    """A padded seat and back on wooden legs."""
    back = path(
        "M-32,-72 C-12,-77 12,-77 32,-72 C37,-60 36,-36 33,-24 C12,-20 -12,-20 -33,-24 C-36,-36 -37,-60 -32,-72"
    )
    posts = stroke(path("M-26,-30 L-28,10"), 5), stroke(path("M26,-30 L28,10"), 5)
    return _chair(
        appearance,
        back,
        posts,
        seat=path("M-38,2 C-12,-6 12,-6 38,2 C44,10 45,16 42,20 C14,25 -14,25 -42,20 C-45,16 -44,10 -38,2"),
    )


def shell_chair(appearance: Appearance) -> Drawing:
    """One curved shell on splayed legs."""
    shell = path(
        "M-40,-56 C-24,-74 24,-74 40,-56 C46,-34 44,-16 46,6 C48,20 34,28 0,28 "
        "C-34,28 -48,20 -46,6 C-44,-16 -46,-34 -40,-56"
    )
    seat = path("M-42,4 C-20,-8 20,-8 42,4 C44,16 32,25 0,25 C-32,25 -44,16 -42,4")
    cloth = appearance.surface(15, start=-12)
    layers = [
        *_splayed_legs(appearance, 22, 32),
        Layer((shell,), cloth, Soft(14, 12, 0.2)),
        Layer((seat,), cloth, Soft(10, 11, 0.2), lift=2.2),
    ]
    return Drawing(layers)


def armchair(appearance: Appearance) -> Drawing:
    """Deep, with padded arms."""
    return _sofa(appearance, half_width=48, seats=1, arm=15, top=-52)


def bar_stool(appearance: Appearance) -> Drawing:
    """A round seat on tall legs."""
    legs = tuple(stroke(path(f"M{x0},-26 L{x1},78"), 5, 4) for x0, x1 in ((-22, -38), (22, 38)))
    rear = tuple(stroke(path(f"M{x0},-26 L{x1},66"), 4.5, 3.5) for x0, x1 in ((-12, -18), (12, 18)))
    rung = stroke(path("M-32,40 L32,40"), 4)
    wood = appearance.solid(_timber(appearance), "wood").turned()
    seat = [(-44.0, 34.0), (-30.0, 36.0)]
    cloth = appearance.surface(13, start=-38)
    layers = [
        Layer(rear, wood, Soft(2, 3, 0), tone=0.72),
        Layer((rung,), appearance.solid(_timber(appearance), "wood"), Soft(2, 3, 0)),
        Layer(legs, wood, Soft(2, 3, 0)),
        Layer((turned(seat, 0.24),), cloth, Turned(seat, bow=0.24), lift=2),
        Layer((ellipse(0, -44, 34, 8.2),), cloth, Soft(6, 5, 0), tone=1.06),
    ]
    return Drawing(layers)


def two_seat_sofa(appearance: Appearance) -> Drawing:
    """Two cushions between rounded arms."""
    return _sofa(appearance, half_width=74, seats=2, arm=15, top=-40)


def three_seat_sofa(appearance: Appearance) -> Drawing:
    """Three cushions between slim arms."""
    return _sofa(appearance, half_width=88, seats=3, arm=10, top=-34)


def bench_sofa(appearance: Appearance) -> Drawing:
    """A low back, one long cushion and no arms."""
    cloth = appearance.surface(15, start=2)
    back = path("M-80,-30 C-40,-37 40,-37 80,-30 C84,-20 84,0 82,10 L-82,10 C-84,0 -84,-20 -80,-30")
    layers = [
        *_short_legs(appearance, 70, 30),
        Layer((back,), cloth, _CUSHION),
        Layer((box(-84, 6, 84, 36, 11),), cloth, Soft(9, 12, 0.3), lift=2.4),
        Layer(
            tuple(ellipse(x, -10, 2.2) for x in range(-60, 61, 24)),
            appearance.solid(appearance.shade(0.7)),
            Soft(1.5, 2, 0),
            lift=0.9,
        ),
    ]
    return Drawing(layers)


def square_cushion(appearance: Appearance) -> Drawing:
    """A plump square with pinched corners."""
    body = path("M-66,-66 C-30,-58 30,-58 66,-66 C58,-30 58,30 66,66 C30,58 -30,58 -66,66 C-58,30 -58,-30 -66,-66")
    return _cushion(appearance, body)


def round_cushion(appearance: Appearance) -> Drawing:
    """A disc with a button in its middle."""
    button = [
        Layer((ellipse(0, 0, 13),), appearance.solid(appearance.shade(0.4)), Soft(9, -3, 0), opacity=0.30),
        Layer((ellipse(0, 0, 6),), appearance.solid(appearance.shade(0.85)), Soft(4, 5, 0), lift=1.4),
    ]
    return _cushion(appearance, ellipse(0, 0, 64), button)


def lumbar_cushion(appearance: Appearance) -> Drawing:
    """A long low rectangle."""
    body = path("M-82,-44 C-40,-38 40,-38 82,-44 C76,-16 76,16 82,44 C40,38 -40,38 -82,44 C-76,16 -76,-16 -82,-44")
    return _cushion(appearance, body)


def tasselled_cushion(appearance: Appearance) -> Drawing:
    """A square with tassels at its corners."""
    body = path("M-60,-60 C-30,-55 30,-55 60,-60 C55,-30 55,30 60,60 C30,55 -30,55 -60,60 C-55,30 -55,-30 -60,-60")
    tassels = tuple(stroke(path(f"M{x * 56},{y * 56} L{x * 76},{y * 76}"), 4, 9) for x in (-1, 1) for y in (-1, 1))
    knots = tuple(ellipse(x * 62, y * 62, 4.4) for x in (-1, 1) for y in (-1, 1))
    trim = appearance.solid(appearance.accent if appearance.pattern != "plain" else appearance.shade(0.75), "wool")
    fringe = [Layer(tassels, trim, Soft(3, 4, 0)), Layer(knots, trim, Soft(2, 4, 0), lift=0.5)]
    drawing = _cushion(appearance, body)
    return Drawing([*fringe, *drawing.layers], standing=False)


def _timber(appearance: Appearance) -> tuple[float, float, float]:
    return OAK if appearance.variation < 0.6 else WALNUT


def _lamp(appearance: Appearance, shade: list[tuple[float, float]], base: list[tuple[float, float]]) -> Drawing:
    bow = 0.13
    top, top_radius = shade[0]
    stand = appearance.pick(WHITE, OAK, BRASS, appearance.accent)
    made_of = {OAK: "wood", BRASS: "steel"}.get(stand, "porcelain")
    cloth = appearance.surface(14, start=-34)
    layers = [
        Layer((turned(base, bow),), appearance.solid(stand, made_of), Turned(base, bow=bow)),
        Layer((box(-2, shade[-1][0] - 4, 2, base[0][0] + 6),), appearance.solid(BRASS, "steel"), Soft(1, 2, 0)),
        Layer((turned(shade, bow),), cloth, Turned(shade, bow=bow), tone=1.08, lift=2.4),
        Layer(
            (ellipse(0, top, top_radius, top_radius * bow),), appearance.solid(appearance.shade(0.9)), Flat(0), tone=1.1
        ),
        Layer(
            (ellipse(0, top + 0.4, top_radius - 1.6, (top_radius - 1.6) * bow),),
            appearance.solid((1.0, 0.95, 0.84)),
            Flat(0),
        ),
    ]
    return Drawing(layers)


def _splayed_legs(appearance: Appearance, top: float, reach: float) -> list[Layer]:
    front = tuple(stroke(path(f"M{s * 22},{top} L{s * (reach + 6)},80"), 5.5, 3.6) for s in (-1, 1))
    rear = tuple(stroke(path(f"M{s * 18},{top} L{s * (reach - 8)},68"), 4.6, 3) for s in (-1, 1))
    wood = appearance.solid(_timber(appearance), "wood").turned()
    return [Layer(rear, wood, Soft(2, 3, 0), tone=0.7), Layer(front, wood, Soft(2, 3, 0))]


def _chair(appearance: Appearance, back: Outline, posts: tuple[Outline, ...], seat: Outline) -> Drawing:
    wood = appearance.solid(_timber(appearance), "wood").turned()
    legs = stroke(path("M-36,18 L-40,80"), 6, 4.5), stroke(path("M36,18 L40,80"), 6, 4.5)
    rear = stroke(path("M-27,16 L-28,68"), 5, 4), stroke(path("M27,16 L28,68"), 5, 4)
    rail = box(-37, 20, 37, 27, 2)
    cloth = appearance.surface(14, start=-20)
    layers = [
        Layer(rear, wood, Soft(2, 3, 0), tone=0.72),
        Layer(posts, wood, Soft(2, 3, 0), tone=0.92),
        Layer((back,), cloth, Soft(9, 10, 0.3), lift=1.2),
        Layer(legs, wood, Soft(2, 3, 0)),
        Layer((rail,), appearance.solid(_timber(appearance), "wood"), Soft(2, 2, 0)),
        Layer((seat,), cloth, Soft(7, 9, 0.2), lift=2.0),
    ]
    return Drawing(layers)


def _short_legs(appearance: Appearance, reach: float, top: float) -> list[Layer]:
    legs = tuple(stroke(path(f"M{s * reach},{top} L{s * (reach + 4)},54"), 7, 4.5) for s in (-1, 1))
    return [Layer(legs, appearance.solid(_timber(appearance), "wood").turned(), Soft(2, 3, 0))]


def _sofa(appearance: Appearance, half_width: float, seats: int, arm: float, top: float) -> Drawing:
    cloth = appearance.surface(15, start=4)
    inner = half_width - arm
    step = 2 * inner / seats
    back = box(-half_width + 3, top, half_width - 3, 30, 13)
    backs = tuple(box(-inner + n * step + 0.8, top + 6, -inner + (n + 1) * step - 0.8, 14, 10) for n in range(seats))
    cushions = tuple(box(-inner + n * step + 0.6, 4, -inner + (n + 1) * step - 0.6, 24, 8) for n in range(seats))
    arm_shape = box(-half_width, -16, -half_width + arm + 3, 42, 9)
    layers = [
        *_short_legs(appearance, half_width - 9, 38),
        Layer((back,), cloth, Soft(8, 9, 0.3), tone=0.94),
        Layer(backs, cloth, Soft(10, 12, 0.5, shift=appearance.variation), lift=1.8),
        Layer((box(-inner - 2, 18, inner + 2, 42, 3),), cloth, Soft(3, 4, 0.2), tone=0.9, lift=1.0),
        Layer(cushions, cloth, Soft(7, 11, 0.3), lift=2.2),
        Layer((arm_shape, flipped(arm_shape)), cloth, Soft(8, 11, 0.3), lift=2.2),
    ]
    return Drawing(layers)


def _cushion(appearance: Appearance, body: Outline, details: list[Layer] | None = None) -> Drawing:
    piping = appearance.solid(appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.82))
    layers = [
        Layer((body * 1.028,), piping, Soft(1.6, 3, 0)),
        Layer((body,), appearance.surface(17, start=0), Soft(26, 26, 0.9, shift=appearance.variation), lift=0.8),
        Layer(tuple(stitches(body * 0.965, 0.6, 2.0)), appearance.solid(appearance.shade(0.7), "cotton"), opacity=0.35),
        *(details or []),
    ]
    return Drawing(layers, standing=False)
