"""Colours by their words in English, German and French."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORD = re.compile(r"[^\W\d_]+")
_WORDS = {
    word: names[0]
    for names in (
        ("black", "schwarz", "noir", "noire"), ("white", "weiß", "weiss", "blanc", "blanche"), ("grey", "gray", "grau", "gris"),
        ("red", "rot", "rouge"), ("blue", "blau", "bleu"), ("navy",), ("green", "grün", "vert", "verte"),
        ("yellow", "gelb", "jaune"), ("orange",), ("purple", "violet", "lila"), ("pink", "rosa", "rose"),
        ("brown", "braun", "marron"), ("beige",), ("gold", "golden", "doré"), ("silver", "silber"), ("turquoise", "teal", "türkis"),
    )
    for word in names
}  # fmt: skip

_ATTRIBUTES = frozenset({"color", "colour", "farbe", "couleur"})


def colours_of(title: str, attributes: Mapping[str, object]) -> frozenset[str]:
    """The colours that a product's title or its attribute of that name says.

    Args:
        title: of the product.
        attributes: values by name.

    Returns:
        Their English names.
    """
    named = [str(value) for name, value in attributes.items() if name.casefold() in _ATTRIBUTES]
    return frozenset(colour for text in (title, *named) for colour in colours_in(text))


def colours_in(text: str) -> frozenset[str]:
    """The colours that a text names.

    Args:
        text: of a title or an attribute.

    Returns:
        Their English names.
    """
    return frozenset(_WORDS[word] for word in _WORD.findall(text.casefold()) if word in _WORDS)
