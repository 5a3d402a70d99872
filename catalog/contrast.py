"""How well a colour can be read on another one (WCAG 2.2), and the nearest one that can. Colours are texts like `#1f5d4c`."""

from __future__ import annotations

BLACK, WHITE = "#000000", "#ffffff"
# The ratio that level AA asks of text.
AA = 4.5
# Steps of a hundredth on the way to black or white.
_STEPS = 100


def contrast(one: str, other: str) -> float:
    """The contrast of two colours.

    Args:
        one: a colour.
        other: a colour.

    Returns:
        The ratio of their relative luminances, 1 to 21.
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_upon(ground: str) -> str:
    """Black or white, whichever has the higher contrast with a ground."""
    return max(BLACK, WHITE, key=lambda text: contrast(text, ground))


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with a share of another one.

    Args:
        colour: what is mixed into.
        other: what is mixed in.
        share: of the other one, 0 to 1.

    Returns:
        The mixture, channel by channel.
    """
    channels = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(255 * ((1 - share) * one + share * two)):02x}" for one, two in channels)


def readable(colour: str, *grounds: str) -> str:
    """The colour, or the nearest one towards black or white, as the grounds are light or dark, that can be read as text on all.

    Args:
        colour: what is asked for.
        grounds: all light or all dark.

    Returns:
        A colour whose contrast with each ground is at least AA.
    """
    mixtures = (mixed(colour, text_upon(grounds[0]), step / _STEPS) for step in range(_STEPS + 1))
    return next(each for each in mixtures if all(contrast(each, ground) >= AA for ground in grounds))


def _luminance(colour: str) -> float:
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in _channels(colour)]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> list[float]:
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
