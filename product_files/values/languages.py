"""Languages as names of columns have them: by two letters, by three, and by name."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf.locale import LANG_INFO

LANGUAGES = frozenset(code[:2] for code in LANG_INFO)

# Codes of ISO 639-2 for languages of shops; where there are two, both.
_THREE_LETTERS = """
ara ar, bel be, ben bn, bul bg, cat ca, ces cs, cze cs, chi zh, zho zh, dan da, deu de, ger de, dut nl, nld nl, ell el, gre el,
eng en, est et, fas fa, per fa, fin fi, fra fr, fre fr, geo ka, kat ka, gle ga, glg gl, heb he, hin hi, hrv hr, hun hu, hye hy,
arm hy, ind id, isl is, ice is, ita it, jpn ja, kaz kk, kor ko, lav lv, lit lt, mac mk, mkd mk, may ms, msa ms, nob nb, nor no,
pol pl, por pt, ron ro, rum ro, rus ru, slk sk, slo sk, slv sl, spa es, sqi sq, alb sq, srp sr, swe sv, tam ta, tha th, tur tr,
ukr uk, urd ur, vie vi
"""
# Names that Django does not have.
_NAMES = {"chinese": "zh", "filipino": "tl", "tagalog": "tl", "vietnam": "vi"}

# Two letters by three, and by the name in English and in the language itself, in small letters.
LANGUAGE_NAMES: Mapping[str, str] = {
    **{
        name.lower(): code
        for code, info in LANG_INFO.items()
        if len(code) == len("en")
        for name in (info["name"], info["name_local"])
    },
    **dict(pair.split() for pair in _THREE_LETTERS.split(",")),
    **_NAMES,
}
