"""The character set of text that is not UTF-8, by charset-normalizer, and by the letters that languages have.

A character set is taken only if its text is the only one that makes sense: the same bytes are `Čajnik` and `Èajnik`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from math import sqrt

from charset_normalizer import from_bytes
from charset_normalizer.constant import FREQUENCIES

# Share of letters that are not plausible which is still a slip.
_SLIPS = 0.02
# How much more common the letters have to be, by the root of their number, to prefer one of two texts that both make sense.
_CLEARLY_MORE_COMMON = 0.25
_MIN_LETTERS = 4
_ONE_IS_RARE = 0.6
_SAMPLE_CHARACTERS = 60
_MAX_CHOICES = 3

# The letters beyond ASCII of languages, for the encodings that are made for them. Words with others are not of the language.
_LATIN = {
    "cp1252": (
        "äöüß",
        "àâæçéèêëîïôœùûüÿ",
        "áéíóúüñºª",
        "àèéìíòóùú",
        "ãáàâçéêíóôõúºª",
        "éëïóöüáíèêä",
        "åäöé",
        "æøåéóèü",
        "áðéíóúýþæö",
        "àçèéíïòóúü",
        "äöüõšž",
    ),
    "cp1250": (
        "áčďéěíňóřšťúůýž",
        "áäčďéíĺľňóôŕšťúýž",
        "ąćęłńóśźż",
        "áéíóöőúüű",
        "čćđšž",
        "ăâîșțşţ",
        "ëç",
        "äöüß",
    ),
    "cp1254": ("çğıöşüâîû",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äöüõšž"),
    "cp1258": ("àáâãèéêìíòóôõùúýăđĩũơư\u0300\u0301\u0303\u0309\u0323",),
}
_CYRILLIC = (
    "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдежзийклмнопрстуфхцчшщъьюяѝ",
    "абвгдђежзијклљмнњопрстћуфхцчџш",
    "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
    "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
)
_ALPHABETS: dict[str, Sequence[str]] = {
    **dict.fromkeys(("cp1252", "iso8859_15", "mac_roman", "cp850", "cp437"), _LATIN["cp1252"]),
    **dict.fromkeys(("cp1250", "iso8859_2", "cp852", "mac_latin2", "iso8859_16"), _LATIN["cp1250"]),
    **dict.fromkeys(("cp1254", "cp857"), _LATIN["cp1254"]),
    **dict.fromkeys(("cp1257", "iso8859_13"), _LATIN["cp1257"]),
    "cp1258": _LATIN["cp1258"],
    **dict.fromkeys(("cp1251", "koi8_r", "koi8_u", "iso8859_5", "cp866", "mac_cyrillic"), _CYRILLIC),
    **dict.fromkeys(("cp1253", "iso8859_7", "cp737"), ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",)),
    **dict.fromkeys(("cp1255", "iso8859_8"), ("".join(map(chr, range(0x5B0, 0x5F5))),)),
    **dict.fromkeys(("cp1256", "iso8859_6"), ("".join(map(chr, range(0x621, 0x653))) + "پچژگکی",)),
    "cp874": ("".join(map(chr, range(0xE01, 0xE5C))),),
}
_MULTIBYTE = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
# Of encodings in which the text is the same, the first one is named.
_CANDIDATES = tuple(
    f"cp1252 cp1250 cp1254 cp1257 cp1251 cp1253 cp1255 cp1256 cp1258 cp874 {' '.join(_MULTIBYTE)}"
    " iso8859_15 iso8859_2 iso8859_16 iso8859_13 iso8859_5 iso8859_7 iso8859_8 iso8859_6"
    " koi8_r koi8_u mac_roman mac_latin2 mac_cyrillic cp850 cp852 cp857 cp866 cp437 cp737".split()
)
_TYPOGRAPHY = frozenset(
    "“”„‟‘’‚‛«»‹›–—―…•·°€£¥¢©®™§±×÷½¼¾²³¹µ¿¡†‡‰\u00a0\u00ad№、。「」・，：；！？（）【】《》～％＋－／\u3000"
)
# With which shops of East Asia begin the parts of a text, and units.
_EAST_ASIAN_SIGNS = frozenset("■□●○◎◆◇★☆※→←↑↓▲△▼▽♪〒①②③④⑤⑥⑦⑧⑨⑩㎝㎜㎏㎡℃")
_IN_WORDS = frozenset("’‘·\u00ad®™、。「」・，：；！？（）【】《》～％＋－／")
# Letters without which a text of that length is hardly Vietnamese.
_VIETNAMESE = frozenset("đăơư")
# Where a letter may have been misread: a sign between two letters that is no apostrophe.
_BETWEEN_LETTERS = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f\u2018\u2019](?=[A-Za-z])")
_WORD = re.compile(r"(?:[^\W\d_]|[^\x00-\x7f\s])+")
_IDEOGRAPHS = "ideographs and syllables"


class UnclearCharset(ValueError):
    """The text makes sense in several character sets, and reads differently in each.

    Attributes:
        choices: (name of the codec, how a sample of the text reads in it) each, the most probable first.
    """

    def __init__(self, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(", ".join(name for name, _ in choices))
        self.choices = choices


def detect(sample: bytes) -> str:
    """Detect the encoding of text that is not UTF-8.

    Args:
        sample: lines with letters beyond ASCII.

    Returns:
        The name of a codec.

    Raises:
        UnclearCharset: the sample makes sense in several encodings.
    """
    readings = _readings(sample)
    if not readings:
        raise UnclearCharset([(name, _excerpt(sample.decode(name, "replace"))) for name in _CANDIDATES[:_MAX_CHOICES]])
    least = readings[0].slips
    plausible = [reading for reading in readings if reading.slips <= least + _SLIPS]
    if len(plausible) == 1 and least <= _SLIPS:
        return plausible[0].encoding
    plausible.sort(key=lambda reading: -reading.commonness)
    first, *others = plausible
    if least <= _SLIPS and others and _is_clear(first, others[0]):
        return first.encoding
    # Where they differ is what a person decides by.
    raise UnclearCharset([(reading.encoding, _excerpt(reading.text)) for reading in plausible[:_MAX_CHOICES]])


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the sample is in an encoding. slips: share of characters that make no sense. commonness: of its letters, 0 to 1."""

    encoding: str
    text: str
    slips: float
    commonness: float


def _is_clear(first: _Reading, second: _Reading) -> bool:
    """Whether the letters of the first are so much more common in a language that it is not by chance."""
    letters = sum(not each.isascii() and each.isalpha() for each in first.text)
    difference = first.commonness - second.commonness
    if not letters:
        # Quotes and signs alone, where the other reading has letters instead.
        return difference > 0
    if letters < _MIN_LETTERS:
        # Few letters show whether it is Windows, DOS or a Mac, but not which language it is.
        is_rarer = second.encoding.startswith(("mac_", "cp4", "cp7", "cp8"))
        return first.encoding.startswith("cp12") and is_rarer and difference >= _ONE_IS_RARE
    return difference >= _CLEARLY_MORE_COMMON / sqrt(letters)


def _readings(sample: bytes) -> list[_Reading]:
    """The different texts that the sample can be; those that make most sense first."""
    matches = from_bytes(sample, cp_isolation=list(_CANDIDATES), enable_fallback=False)
    found = {name for match in matches for name in (match.encoding, *match.could_be_from_charset)}
    readings: dict[str, _Reading] = {}
    for name in _CANDIDATES:
        try:
            text = sample.decode(name)
        except UnicodeError:
            continue
        slips = _slips(text, name)
        # What charset-normalizer finds chaotic is left out, unless every letter is one of the language; or, where a letter has two
        # bytes, which text of another encoding seldom gives, nearly every one.
        makes_sense = name in found or slips <= (_SLIPS if name in _MULTIBYTE else 0.0)
        if makes_sense and (text not in readings or slips < readings[text].slips):
            readings[text] = _Reading(name, text, slips, _commonness(text))
    return sorted(readings.values(), key=lambda reading: reading.slips)


def _slips(text: str, encoding: str) -> float:
    """Share of the characters beyond ASCII that do not belong where they stand, 0 to 1."""
    beyond = [each for each in text.lower() if not each.isascii()]
    wrong = sum(map(_slips_of_word, _WORD.findall(text)))
    letters = [each for each in beyond if each not in _TYPOGRAPHY]
    if encoding == "cp1258" and not _VIETNAMESE & set(letters):
        wrong += len(letters)
    elif encoding in _ALPHABETS:
        wrong += min(sum(letter not in alphabet for letter in letters) for alphabet in _ALPHABETS[encoding])
    else:
        wrong += sum(
            not (each.isalpha() or each in _EAST_ASIAN_SIGNS) or "\uff61" <= each <= "\uff9f" for each in letters
        )
    return wrong / len(beyond) if beyond else 0.0


@lru_cache(maxsize=10_000)
def _slips_of_word(word: str) -> int:
    """Signs within a word, small letters before capital ones, and several scripts in one word."""
    if word.isascii():
        return 0
    wrong = sum(1 for each in word[1:-1] if each in _TYPOGRAPHY and each not in _IN_WORDS)
    pairs = list(pairwise(word))
    wrong += sum(before.islower() and after.isupper() and not before.isascii() for before, after in pairs)
    # Capital letters stand at the beginning, or all are capital.
    wrong += sum(each.isupper() and not each.isascii() for each in word[1:] if not word.isupper())
    # A mark above or below a letter needs one before it.
    wrong += _is_mark(word[0])
    wrong += sum(_is_mark(mark) and not (before.isalpha() or _is_mark(before)) for before, mark in pairs)
    scripts = [_script(each) for each in word if each.isalpha() or (_is_mark(each) and _script(each) != "COMBINING")]
    if len(set(scripts)) < 2:
        return wrong
    # `LED灯` is a word; a single ideograph among small letters is an accent that was misread.
    ideographs = scripts.count(_IDEOGRAPHS)
    if set(scripts) == {_IDEOGRAPHS, "LATIN"}:
        return wrong + (ideographs if ideographs == 1 and any(each.islower() for each in word) else 0)
    return wrong + sum(not each.isascii() for each in word)


def _is_mark(each: str) -> bool:
    return unicodedata.category(each) == "Mn"


@cache
def _script(letter: str) -> str:
    script = unicodedata.name(letter, "?").partition(" ")[0]
    return _IDEOGRAPHS if script in ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL") else script


def _commonness(text: str) -> float:
    """How common the letters beyond ASCII are in the language that they fit best, by charset-normalizer's tables, 0 to 1."""
    letters = [letter for letter in text.lower() if not letter.isascii() and letter not in _TYPOGRAPHY]
    if not letters:
        # Quotes, dashes and currency signs are what is expected in any language.
        return 0.5 if _BETWEEN_LETTERS.search(text) or all(each.isascii() or each.isspace() for each in text) else 1.0
    common = max(sum(ranks.get(letter, 0.0) for letter in letters) for ranks in _ranks()) / len(letters)
    # Of thousands of ideographs and syllables the tables have the first hundred: to meet any of them by chance is rare.
    ideographs = sum(_script(letter) == _IDEOGRAPHS for letter in letters)
    return 0.5 + common / 2 if common and ideographs * 2 > len(letters) else common


@cache
def _ranks() -> list[dict[str, float]]:
    """For each language, 1 for its most common letter, and 0.5 for the last one of the table."""
    return [
        {letter: 1 - 0.5 * rank / len(letters) for rank, letter in enumerate(letters)}
        for letters in FREQUENCIES.values()
    ]


def _excerpt(text: str) -> str:
    """The first words with letters beyond ASCII."""
    line = next((line for line in text.splitlines() if not line.isascii()), text)
    first = next((position for position, each in enumerate(line) if not each.isascii()), 0)
    start = line.rfind(" ", 0, first) + 1 if first > _SAMPLE_CHARACTERS // 2 else 0
    return "".join(_shown(line[start : start + _SAMPLE_CHARACTERS])).strip()


def _shown(text: str) -> Iterator[str]:
    for each in text:
        yield each if each.isprintable() else " "
