"""Colours by their words in English, German and French."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class ColourFamily:
    """A colour and what else it is called in a language.

    Attributes:
        names: words for the colour itself.
        shades: words for colours that somebody who asks for it also means. A word may be of several families.
    """

    names: Sequence[str]
    shades: Sequence[str] = ()


def _family(names: str, shades: str = "") -> ColourFamily:
    return ColourFamily(names.split(), shades.split())


# By the colour's English name, then by ISO 639-1 code. Shades are words that mean little else in a shop: no "cherry" or "wine".
FAMILIES: Mapping[str, Mapping[str, ColourFamily]] = {
    "black": {
        "en": _family("black", "ebony onyx"),
        "de": _family("schwarz", "tiefschwarz mattschwarz onyx"),
        "fr": _family("noir noire", "ébène onyx"),
    },
    "white": {
        "en": _family("white", "ivory ecru cream"),
        "de": _family("weiß weiss", "elfenbein ecru creme cremeweiß wollweiß schneeweiß"),
        "fr": _family("blanc blanche", "ivoire écru crème"),
    },
    "grey": {
        "en": _family("grey gray", "charcoal anthracite slate graphite"),
        "de": _family("grau", "anthrazit graphit hellgrau dunkelgrau silbergrau schiefergrau"),
        "fr": _family("gris grise", "anthracite ardoise graphite"),
    },
    "red": {
        "en": _family("red", "burgundy crimson scarlet maroon ruby tomato vermilion carmine claret bordeaux"),
        "de": _family("rot", "burgunder bordeaux bordeauxrot weinrot dunkelrot hellrot kirschrot rubinrot purpurrot karmin"),
        "fr": _family("rouge", "bordeaux bourgogne écarlate cramoisi vermillon grenat carmin"),
    },
    "blue": {
        "en": _family("blue", "navy azure cobalt indigo ultramarine cerulean sapphire"),
        "de": _family("blau", "navy azur kobalt indigo marine marineblau dunkelblau hellblau himmelblau königsblau nachtblau"),
        "fr": _family("bleu bleue", "azur cobalt indigo marine outremer saphir"),
    },
    "navy": {"en": _family("navy"), "de": _family("navy marineblau"), "fr": _family("navy")},
    "green": {
        "en": _family("green", "emerald olive sage jade mint khaki chartreuse"),
        "de": _family("grün", "smaragd smaragdgrün oliv olivgrün salbei salbeigrün mint khaki dunkelgrün hellgrün"),
        "fr": _family("vert verte", "émeraude olive sauge jade menthe kaki"),
    },
    "yellow": {
        "en": _family("yellow", "mustard ochre saffron"),
        "de": _family("gelb", "senfgelb ocker safran zitronengelb hellgelb"),
        "fr": _family("jaune", "moutarde ocre safran"),
    },
    "orange": {
        "en": _family("orange", "terracotta apricot tangerine coral rust"),
        "de": _family("orange", "terrakotta terracotta apricot aprikose koralle rostrot"),
        "fr": _family("orange", "terracotta abricot mandarine corail rouille"),
    },
    "purple": {
        "en": _family("purple violet", "lavender lilac mauve plum aubergine amethyst"),
        "de": _family("violett lila", "lavendel flieder mauve pflaume aubergine"),
        "fr": _family("violet violette", "lavande lilas mauve prune aubergine"),
    },
    "pink": {
        "en": _family("pink", "blush fuchsia magenta rose salmon coral"),
        "de": _family("rosa pink", "fuchsia magenta altrosa hellrosa lachs koralle"),
        "fr": _family("rose", "fuchsia magenta saumon corail"),
    },
    "brown": {
        "en": _family("brown", "chestnut chocolate tan mahogany cognac caramel umber sienna"),
        "de": _family("braun", "kastanie kastanienbraun schokobraun mahagoni cognac karamell dunkelbraun hellbraun"),
        "fr": _family("marron brun brune", "châtaigne chocolat acajou cognac caramel"),
    },
    "beige": {
        "en": _family("beige", "cream sand ecru taupe camel"),
        "de": _family("beige", "creme sand ecru taupe camel"),
        "fr": _family("beige", "crème sable écru taupe camel"),
    },
    "gold": {"en": _family("gold golden"), "de": _family("gold golden"), "fr": _family("doré dorée")},
    "silver": {"en": _family("silver"), "de": _family("silber silbern"), "fr": _family("argenté argentée")},
    "turquoise": {
        "en": _family("turquoise teal", "aqua aquamarine cyan petrol"),
        "de": _family("türkis", "aqua cyan petrol"),
        "fr": _family("turquoise", "aqua cyan pétrole"),
    },
}  # fmt: skip

_NAMES = {
    word: colour for colour, by_language in FAMILIES.items() for family in by_language.values() for word in family.names
}

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
    """The colours that a text names; shades are none.

    Args:
        text: of a title or an attribute.

    Returns:
        Their English names.
    """
    return frozenset(_NAMES[word] for word in _WORD.findall(text.casefold()) if word in _NAMES)
