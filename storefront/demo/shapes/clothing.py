"""Clothes laid flat and seen from above: T-shirts, shirts, knitwear, dresses and trousers."""

from storefront.demo.appearance import Appearance
from storefront.demo.attributes import BRASS, WHITE
from storefront.demo.outlines import Outline, box, ellipse, flipped, path, smooth, stitches, stroke, symmetric
from storefront.demo.relief import Flat, Soft
from storefront.demo.scene import Drawing, Layer
from storefront.demo.surfaces import Surface

_CLOTH = Soft(9, 8, 1.0)
_TRIM = Soft(2.5, 3.5, 0.3)
_TORSO = "M0,-58 C10,-58 18,-60 22,-66 L40,-58 C43,-40 42,-20 42,0 C42,25 43,50 44,70 C25,74 12,74 0,74"
_SHORT_SLEEVE = "M34,-61 C52,-56 62,-44 78,-14 C74,-7 64,-1 56,1 C50,-8 46,-14 40,-22 Z"
_LONG_SLEEVE = "M34,-61 C50,-55 56,-46 60,-30 C66,0 72,30 76,60 C70,65 62,66 57,64 C52,40 48,16 40,-14 Z"


def crew_tee(appearance: Appearance) -> Drawing:
    """A round neck and short sleeves."""
    return _tee(
        appearance, "M-22,-66 C-16,-46 16,-46 22,-66 C16,-63 -16,-63 -22,-66", path("M-22,-66 C-16,-46 16,-46 22,-66")
    )


def v_neck_tee(appearance: Appearance) -> Drawing:
    """A pointed neck and short sleeves."""
    return _tee(
        appearance, "M-22,-66 L0,-36 L22,-66 C14,-62 -14,-62 -22,-66", path("M-22,-66 L-11,-51 L0,-36 L11,-51 L22,-66")
    )


def long_sleeve_tee(appearance: Appearance) -> Drawing:
    """A round neck and sleeves to the wrist."""
    neck = "M-22,-66 C-16,-46 16,-46 22,-66 C16,-63 -16,-63 -22,-66"
    return _tee(appearance, neck, path("M-22,-66 C-16,-46 16,-46 22,-66"), long=True)


def classic_shirt(appearance: Appearance) -> Drawing:
    """A pointed collar, buttons, a pocket and long sleeves."""
    return _shirt(appearance, long=True, pocket=True)


def camp_shirt(appearance: Appearance) -> Drawing:
    """An open collar and short sleeves."""
    return _shirt(appearance, long=False, pocket=True)


def band_collar_shirt(appearance: Appearance) -> Drawing:
    """A stand-up collar, no pocket."""
    return _shirt(appearance, long=True, pocket=False, band=True)


def crew_jumper(appearance: Appearance) -> Drawing:
    """A ribbed round neck."""
    return _knit(appearance, neck_rise=0)


def roll_neck_jumper(appearance: Appearance) -> Drawing:
    """A folded high collar."""
    return _knit(appearance, neck_rise=16)


def cardigan(appearance: Appearance) -> Drawing:
    """Buttons down the front."""
    return _knit(appearance, neck_rise=0, opened=True)


def shift_dress(appearance: Appearance) -> Drawing:
    """Straight, with short sleeves."""
    body = symmetric("M0,-66 C8,-66 14,-69 18,-74 L33,-68 C35,-52 30,-42 29,-30 C31,0 36,40 38,76 C24,80 10,80 0,80")
    sleeve = path("M29,-70 C42,-64 49,-54 53,-36 C48,-31 42,-29 36,-29 C33,-38 31,-44 31,-50 Z")
    neck = path("M-18,-74 C-12,-58 12,-58 18,-74 C12,-71 -12,-71 -18,-74")
    return _dress(
        appearance, body, [sleeve, flipped(sleeve)], neck, path("M-18,-74 C-12,-58 12,-58 18,-74"), waist=None
    )


def flared_dress(appearance: Appearance) -> Drawing:
    """Fitted to the waist, wide below it."""
    body = symmetric(
        "M0,-62 C8,-62 14,-66 17,-74 L27,-71 C26,-56 31,-48 31,-42 C28,-32 25,-26 24,-18 "
        "C34,12 52,46 62,72 C40,81 16,83 0,83"
    )
    neck = path("M-17,-74 C-12,-56 12,-56 17,-74 C12,-71 -12,-71 -17,-74")
    return _dress(appearance, body, [], neck, path("M-17,-74 C-12,-56 12,-56 17,-74"), waist=-18)


def strap_dress(appearance: Appearance) -> Drawing:
    """Thin straps and a long skirt."""
    body = symmetric(
        "M0,-50 C8,-51 14,-56 20,-58 C26,-52 28,-46 29,-40 C26,-30 24,-24 23,-18 C32,14 42,52 46,80 C30,85 14,86 0,86"
    )
    straps = [
        stroke(path("M17,-56 C15,-68 12,-76 10,-82"), 3.2),
        stroke(path("M-17,-56 C-15,-68 -12,-76 -10,-82"), 3.2),
    ]
    return _dress(appearance, body, straps, None, None, waist=-18)


def straight_trousers(appearance: Appearance) -> Drawing:
    """Legs of one width."""
    return _trousers(appearance, hem=(9, 33), knee=36)


def wide_trousers(appearance: Appearance) -> Drawing:
    """Legs that widen towards the hem."""
    return _trousers(appearance, hem=(4, 50), knee=43)


def tapered_trousers(appearance: Appearance) -> Drawing:
    """Legs that narrow towards the hem."""
    return _trousers(appearance, hem=(12, 29), knee=35)


def shorts(appearance: Appearance) -> Drawing:
    """Legs to above the knee."""
    return _trousers(appearance, hem=(5, 50), knee=46, bottom=40, top=-52)


def _sleeves(appearance: Appearance, cloth: Surface, shape: str) -> list[Layer]:
    sleeve = path(shape)
    return [
        Layer((side,), cloth, Soft(8, 8, 1.0, shift=appearance.variation + n))
        for n, side in enumerate((sleeve, flipped(sleeve)))
    ]


def _tee(appearance: Appearance, neck: str, neckline: Outline, *, long: bool = False) -> Drawing:
    cloth = appearance.surface(15, start=-4)
    trim = appearance.solid(appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.92))
    body = symmetric(_TORSO)
    hem = path("M-43,69 C-20,72.5 20,72.5 43,69")
    cuff = path("M57,58 L75,54") if long else path("M53,-4 C60,-7 68,-12 74,-18")
    layers = [
        Layer((path(neck),), appearance.solid(appearance.shade(0.62)), Flat(0.1)),
        *_sleeves(appearance, cloth, _LONG_SLEEVE if long else _SHORT_SLEEVE),
        Layer((body,), cloth, Soft(10, 9, 1.0, shift=appearance.variation), holes=(path(neck),), lift=1.2),
        Layer((stroke(neckline, 5.5),), trim, _TRIM, lift=0.8),
        *_seam(appearance, [hem, cuff, flipped(cuff)]),
    ]
    return Drawing(layers, standing=False)


def _seam(appearance: Appearance, lines: list[Outline]) -> list[Layer]:
    dashes = [dash for line in lines for dash in stitches(line, 0.7, 2.2)]
    return [Layer(tuple(dashes), appearance.solid(appearance.shade(0.72), "cotton"), opacity=0.75)]


def _shirt(appearance: Appearance, *, long: bool, pocket: bool, band: bool = False) -> Drawing:
    cloth = appearance.surface(11, start=-8, turn=1 if appearance.pattern == "striped" else 0)
    body = symmetric("M0,-60 C8,-60 16,-62 20,-68 L40,-59 C43,-40 41,-20 42,0 C43,30 44,50 44,64 C34,76 14,78 0,78")
    back = path("M-19,-68 C-10,-76 10,-76 19,-68 C10,-54 -10,-54 -19,-68")
    cuffs = (
        path("M58,58 L77,54 L78,64 C71,68 64,69 58,68 Z") if long else path("M54,-5 L74,-20 L79,-13 C73,-5 65,1 57,3 Z")
    )
    layers = [
        Layer((back,), appearance.solid(appearance.shade(0.66)), Flat()),
        *_sleeves(appearance, cloth, _LONG_SLEEVE if long else _SHORT_SLEEVE),
        Layer((cuffs, flipped(cuffs)), cloth.turned(), _TRIM, lift=0.6),
        Layer(
            (body,),
            cloth,
            Soft(10, 9, 1.0, shift=appearance.variation),
            holes=(path("M-12,-70 L0,-52 L12,-70"),),
            lift=1.2,
        ),
        Layer((box(-4.5, -54, 4.5, 77.5),), cloth, Soft(2, 2.4, 0.4), inside=(body,), lift=0.9),
    ]
    if pocket:
        layers.append(Layer((path("M14,-26 L33,-26 L33,-6 L23.5,-1 L14,-6"),), cloth, Soft(1.6, 2.4, 0.4), lift=0.8))
    layers += _collar(cloth, band=band)
    buttons = tuple(ellipse(0, y, 1.8) for y in range(-44, 70, 18))
    layers.append(Layer(buttons, appearance.solid(WHITE, "porcelain"), Soft(1, 1.4, 0), lift=0.6))
    return Drawing(layers, standing=False)


def _collar(cloth: Surface, *, band: bool) -> list[Layer]:
    if band:
        side = path("M1,-49 C10,-54 16,-62 18,-70 L23,-66 C20,-56 12,-46 2,-43 Z")
    else:
        side = path("M1,-52 C8,-60 14,-66 17,-74 C21,-73 24,-70 26,-66 C25,-56 22,-48 18,-41 C12,-44 6,-48 1,-52 Z")
    return [Layer((side, flipped(side)), cloth.turned(), Soft(2.6, 3.4, 0.3), lift=1.2)]


def _knit(appearance: Appearance, *, neck_rise: float, opened: bool = False) -> Drawing:
    cloth = appearance.surface(17, start=-6)
    rib = appearance.solid(appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.94))
    body = symmetric("M0,-58 C10,-58 18,-60 22,-66 L41,-57 C45,-40 44,-20 44,0 C44,25 45,45 44,60 C25,63 12,63 0,63")
    hem = symmetric("M0,60 L43,58 C44,66 43,71 41,75 C22,78 10,78 0,78")
    cuff = path("M57,60 L76,56 C78,63 78,68 77,72 C71,75 65,76 60,75 Z")
    neck = path("M-22,-66 C-16,-46 16,-46 22,-66 C16,-63 -16,-63 -22,-66")
    layers = [
        Layer((neck,), appearance.solid(appearance.shade(0.6)), Flat(0.1)),
        *_sleeves(appearance, cloth, _LONG_SLEEVE),
        Layer((cuff, flipped(cuff)), rib, Soft(4, 5, 0.5), lift=0.8),
        Layer((body,), cloth, Soft(11, 11, 1.0, shift=appearance.variation), holes=(neck,), lift=1.4),
        Layer((hem,), rib, Soft(4, 5, 0.4), lift=0.8),
    ]
    if opened:
        opening = (
            stroke(path("M-22,-66 C-18,-46 -8,-34 0,-24 L0,76"), 7),
            stroke(path("M22,-66 C18,-46 8,-34 0,-24"), 7),
        )
        gap = path("M-20,-64 C-16,-46 -7,-34 0,-26 C7,-34 16,-46 20,-64")
        layers.append(Layer((gap,), appearance.solid(appearance.shade(0.55)), Flat(0.1)))
        layers.append(Layer(opening, rib, Soft(3, 4, 0.3), lift=1.0))
        buttons = tuple(ellipse(0, y, 2.6) for y in range(-14, 72, 17))
        layers.append(Layer(buttons, appearance.solid(BRASS, "wood"), Soft(1.2, 2, 0), lift=0.8))
    elif neck_rise:
        roll = path(
            "M-20,-82 C-10,-86 10,-86 20,-82 C23,-74 23,-64 21,-58 C10,-50 -10,-50 -21,-58 C-23,-64 -23,-74 -20,-82"
        )
        layers.append(Layer((roll,), rib, Soft(6, 8, 0.5), lift=1.4))
    else:
        layers.append(Layer((stroke(path("M-22,-66 C-16,-46 16,-46 22,-66"), 8),), rib, Soft(3, 4.5, 0.2), lift=1.0))
    return Drawing(layers, standing=False)


def _dress(
    appearance: Appearance,
    body: Outline,
    extras: list[Outline],
    neck: Outline | None,
    neckline: Outline | None,
    waist: float | None,
) -> Drawing:
    cloth = appearance.surface(14, start=waist if waist is not None else -10)
    layers = [Layer((piece,), cloth, Soft(7, 7, 0.8)) for piece in extras]
    holes: tuple[Outline, ...] = ()
    if neck is not None:
        layers.insert(0, Layer((neck,), appearance.solid(appearance.shade(0.6)), Flat(0.1)))
        holes = (neck,)
    layers.append(Layer((body,), cloth, Soft(11, 10, 1.5, shift=appearance.variation), holes=holes, lift=1.2))
    if neckline is not None:
        layers.append(Layer((stroke(neckline, 3),), appearance.solid(appearance.shade(0.9)), _TRIM, lift=0.5))
    if waist is not None:
        belt = stroke(path(f"M-27,{waist} C-12,{waist + 4} 12,{waist + 4} 27,{waist}"), 5.5)
        trim = appearance.accent if appearance.pattern == "two-tone" else appearance.shade(0.72)
        layers.append(Layer((belt,), appearance.solid(trim), _TRIM, inside=(body,), lift=0.8))
        pleats = [
            smooth([(x * 0.3, waist + 6), (x * 0.62, waist + 40), (x, 74)], closed=False) for x in (-40, -20, 2, 22, 42)
        ]
        ribbons = tuple(stroke(pleat, 0.6, 5) for pleat in pleats)
        layers.append(Layer(ribbons, appearance.solid(appearance.shade(0.55)), Flat(), inside=(body,), opacity=0.16))
    return Drawing(layers, standing=False)


def _trousers(
    appearance: Appearance, hem: tuple[float, float], knee: float, bottom: float = 82, top: float = -80
) -> Drawing:
    cloth = appearance.surface(12, start=10, turn=1 if appearance.pattern == "striped" else 0)
    inner, outer = hem
    crotch = top + 52
    leg = path(
        f"M0,{top + 6} L27,{top + 6} C33,{top + 30} {knee},{crotch} {knee},{crotch + 20} "
        f"C{knee},{crotch + 30} {outer},{bottom - 20} "
        f"{outer},{bottom} C{outer - 8},{bottom + 2} {inner + 8},{bottom + 2} {inner},{bottom} "
        f"C{inner},{bottom - 30} 3,{crotch + 20} 0,{crotch} Z"
    )
    band = path(
        f"M-27,{top} C-10,{top + 3} 10,{top + 3} 27,{top} L28,{top + 9} C10,{top + 12} -10,{top + 12} -28,{top + 9} Z"
    )
    fly = path(f"M0,{top + 10} L0,{crotch - 12} C0,{crotch - 4} 4,{crotch - 6} 7,{crotch - 14} L7,{top + 10}")
    pocket = path(f"M14,{top + 10} C16,{top + 22} 24,{top + 28} 33,{top + 28}")
    loops = tuple(box(x - 1.4, top - 1, x + 1.4, top + 12, 1) for x in (-20, -9, 9, 20))
    creases = stroke(
        path(
            f"M20,{top + 40} C22,{crotch + 20} {(inner + outer) / 2},{bottom - 30} {(inner + outer) / 2},{bottom - 3}"
        ),
        1.0,
    )
    layers = [
        Layer(
            (path(f"M-26,{top} C-10,{top - 4} 10,{top - 4} 26,{top} C10,{top + 4} -10,{top + 4} -26,{top}"),),
            appearance.solid(appearance.shade(0.6)),
        ),
        Layer((flipped(leg),), cloth, Soft(9, 9, 1.2, shift=appearance.variation)),
        Layer((leg,), cloth, Soft(9, 9, 1.2, shift=appearance.variation + 1)),
        Layer((creases, flipped(creases)), appearance.solid(appearance.shade(0.6)), Flat(), opacity=0.30),
        Layer((band,), appearance.solid(appearance.shade(0.95)), Soft(2.5, 3, 0.3), lift=0.8),
        *_seam(appearance, [fly, pocket, flipped(pocket)]),
        Layer(loops, appearance.solid(appearance.shade(0.95)), Soft(1, 1.6, 0), lift=0.6),
        Layer((ellipse(3, top + 6.5, 2.4),), appearance.solid(BRASS, "steel"), Soft(1.2, 2, 0), lift=0.6),
    ]
    return Drawing(layers, standing=False)
