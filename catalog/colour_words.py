"""Colours by their words in English, German and French."""

from __future__ import annotations

import re

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


def colours_in(text: str) -> frozenset[str]:
    """The colours that a text names.

    Args:
        text: of a title or an attribute.

    Returns:
        Their English names.
    """
    return frozenset(_WORDS[word] for word in _WORD.findall(text.casefold()) if word in _WORDS)
