"""Names the colours of what a photo shows, in basic colour terms, and reads such terms in texts.

The terms are the eleven of Berlin and Kay (1969: "Basic color terms") and beige, which shops use as often.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Typical colours in CIE L*a*b* (D65): lightness 0 to 100, green to red, blue to yellow.
_TYPICAL: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    "black": ((8, 0, 0), (20, 0, -2)),
    "grey": ((40, 0, 0), (55, 0, 0), (70, 0, 0)),
    "white": ((97, 0, 0), (90, 0, 1)),
    "red": ((42, 62, 38), (32, 48, 25), (50, 66, 45)),
    "orange": ((65, 45, 62), (72, 30, 65)),
    "yellow": ((85, 0, 70), (92, -10, 50)),
    "green": ((45, -42, 30), (30, -22, 15), (65, -40, 45), (45, -10, 20)),
    "blue": ((35, 15, -50), (25, 5, -25), (55, -5, -38), (78, -8, -18)),
    "purple": ((35, 42, -42), (28, 30, -25), (65, 22, -25)),
    "pink": ((75, 32, 2), (65, 50, 0), (86, 15, 3)),
    "brown": ((30, 14, 20), (40, 18, 28), (22, 10, 12)),
    "beige": ((80, 3, 16), (70, 5, 20), (88, 2, 11)),
}
TERMS = tuple(_TYPICAL)
_PROTOTYPES = np.array([lab for labs in _TYPICAL.values() for lab in labs], dtype=np.float32)
_TERM_OF = np.array([term for term, labs in enumerate(_TYPICAL.values()) for _ in labs])
# Differences of lightness are shadows and folds as often as other colours.
_WEIGHTS = np.array([0.6, 1, 1], dtype=np.float32)
# Terms that people give to the same thing.
_NEAR: Mapping[str, frozenset[str]] = {
    "black": frozenset({"grey"}), "grey": frozenset({"black", "white", "beige", "blue"}), "white": frozenset({"beige", "grey"}),
    "red": frozenset({"orange", "pink", "purple", "brown"}), "orange": frozenset({"red", "yellow", "brown"}),
    "yellow": frozenset({"orange", "beige", "green"}), "green": frozenset({"blue", "yellow", "brown"}),
    "blue": frozenset({"green", "purple", "grey", "black"}), "purple": frozenset({"blue", "pink", "red"}),
    "pink": frozenset({"red", "purple", "beige"}), "brown": frozenset({"beige", "orange", "red", "black"}),
    "beige": frozenset({"white", "brown", "yellow", "grey", "pink"}),
}  # fmt: skip
_WORDS: Mapping[str, str] = {
    "black": "black schwarz noir noire negro nero zwart anthracite anthrazit",
    "grey": "grey gray grau gris grigio grijs silver silber argent charcoal",
    "white": "white weiß weiss blanc blanche blanco bianco wit offwhite ecru",
    "red": "red rot rouge rojo rosso rood burgundy bordeaux crimson scarlet maroon",
    "orange": "orange naranja arancione oranje rust coral",
    "yellow": "yellow gelb jaune amarillo giallo geel mustard gold senf",
    "green": "green grün gruen vert verte verde groen olive khaki mint",
    "blue": "blue blau bleu bleue azul blu blauw navy denim turquoise türkis teal petrol marine",
    "purple": "purple violet lila violett violeta viola paars lavender",
    "pink": "pink rosa rose fuchsia magenta",
    "brown": "brown braun brun marron marrone bruin cognac chocolate camel tan",
    "beige": "beige cream creme crème sand nude taupe ivory natural",
}
_TERM_OF_WORD = {word: term for term, words in _WORDS.items() for word in words.split()}
ATTRIBUTE_NAMES = frozenset({"colour", "color", "colours", "colors", "farbe", "couleur", "colore", "kleur"})

_SIDE = 96
# Of all pixels; less is noise, or a white thing on white.
_MIN_FOREGROUND = 0.04
_SAME_AS_BORDER = 12.0


def colour_shares(image: Image.Image) -> dict[str, float]:
    """The colours of what a photo shows.

    Where the border has one colour, that is the background; otherwise the middle of the photo is looked at.

    Args:
        image: RGB, in sRGB.

    Returns:
        Shares by term, the largest first, 1 together; empty where nothing stands out from the background.
    """
    small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    lab = to_lab(np.asarray(small, dtype=np.float32) / np.float32(255))
    shown = lab[_foreground(lab)]
    if len(shown) < _MIN_FOREGROUND * _SIDE * _SIDE:
        return {}
    apart = ((shown[:, None, :] - _PROTOTYPES) * _WEIGHTS) ** 2
    counts = np.bincount(_TERM_OF[apart.sum(axis=2).argmin(axis=1)], minlength=len(TERMS)) / len(shown)
    return {TERMS[term]: float(counts[term]) for term in np.argsort(-counts) if counts[term] > 0}


def colour_terms(text: str) -> set[str]:
    """The terms of a text such as "Navy/white", in English, German, French, Spanish, Italian or Dutch."""
    return {_TERM_OF_WORD[word] for word in re.findall(r"\w+", text.casefold()) if word in _TERM_OF_WORD}


def may_be(term: str, shares: Mapping[str, float]) -> float:
    """How much of what is shown people may call by this term: its share and that of the terms next to it."""
    return sum(share for other, share in shares.items() if other == term or other in _NEAR[term])


def _foreground(lab: NDArray[np.float32]) -> NDArray[np.bool_]:
    border = np.concatenate(
        [lab[:4].reshape(-1, 3), lab[-4:].reshape(-1, 3), lab[:, :4].reshape(-1, 3), lab[:, -4:].reshape(-1, 3)]
    )
    colour = np.median(border, axis=0)
    if (np.linalg.norm(border - colour, axis=1) < _SAME_AS_BORDER).mean() > 0.75:
        different: NDArray[np.bool_] = np.linalg.norm(lab - colour, axis=2) >= _SAME_AS_BORDER
        return different
    y, x = np.ogrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    middle: NDArray[np.bool_] = (x / 0.4) ** 2 + (y / 0.5) ** 2 <= 1
    return middle


def to_lab(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert colours to CIE L*a*b*, D65 (IEC 61966-2-1, CIE 15).

    Args:
        rgb: float32 [..., 3], sRGB, 0 to 1.

    Returns:
        float32 [..., 3]: lightness 0 to 100, green to red, blue to yellow.
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    return lab.astype(np.float32)
