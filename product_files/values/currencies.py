"""Currencies as prices name them: ISO codes in any case, and signs, by the locales that write them (CLDR, through Babel).

The locales take 0.7 s and 60 MB to read, so their signs are in a file. `python -m product_files.values.currencies` writes it again.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_precision, get_currency_symbol, get_territory_currencies

_SIGNS_FILE = Path(__file__).with_name("currency_signs.json")

# Decimals of a stored price.
MAX_DECIMALS = 3

# Currencies that were replaced by the euro, in which exports of before have their prices.
_FORMER = frozenset(("BGN", "HRK"))

# Languages with the territories whose prices they write. English comes first: its signs are those of other countries' shops.
_LOCALES = """
en_US en_GB en_AU en_CA en_NZ en_SG en_HK en_IN en_ZA en_NG en_KE en_GH en_PK de_DE de_CH fr_FR fr_CA es_ES es_MX es_AR es_CL es_CO
es_PE es_CR es_UY es_PY es_BO es_GT es_DO es_VE pt_BR it_IT nl_NL pl_PL cs_CZ hu_HU ro_RO bg_BG hr_HR sr_RS tr_TR uk_UA ru_RU kk_KZ
ka_GE hy_AM az_AZ sv_SE da_DK nb_NO is_IS fi_FI he_IL ar_AE ar_SA ar_EG ar_MA ar_KW fa_IR hi_IN bn_BD ur_PK si_LK ne_NP th_TH vi_VN
id_ID ms_MY fil_PH km_KH lo_LA my_MM ja_JP zh_CN zh_TW zh_HK ko_KR mn_MN
"""
# Signs that several currencies have: the one that is meant if the shop names none.
_USUAL = {"$": "USD", "£": "GBP", "¥": "JPY", "kr": "SEK", "rs": "INR", "元": "CNY", "l": "RON", "r": "ZAR"}
# What CLDR's locales do not write, and shops do.
_FURTHER_SIGNS = {
    "円": ("JPY",),
    "圓": ("TWD", "HKD"),
    "元": ("CNY", "TWD"),
    "rmb": ("CNY",),
    "원": ("KRW",),
    "us$": ("USD",),
    "us $": ("USD",),
    "au $": ("AUD",),
    "ca $": ("CAD",),
    "c $": ("CAD",),
    "c$": ("CAD",),
    "s$": ("SGD",),
    "nt$": ("TWD",),
    "mex$": ("MXN",),
    "euro": ("EUR",),
    "euros": ("EUR",),
    "fr": ("CHF",),
    "sfr": ("CHF",),
    "rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "руб": ("RUB",),
    "rur": ("RUB",),
    "р": ("RUB",),
    "грн": ("UAH",),
    "лв": ("BGN",),
    "din": ("RSD",),
    "дин": ("RSD",),
    "lei": ("RON", "MDL"),
    "tl": ("TRY",),
    "kč": ("CZK",),
    "฿": ("THB",),
    "dhs": ("AED", "MAD"),
    "sar": ("SAR",),
    "r": ("ZAR",),
    "£": ("GBP", "EGP", "GIP"),
    "fcfa": ("XOF", "XAF"),
    "f cfa": ("XOF", "XAF"),
    "cfa": ("XOF", "XAF"),
    "ksh": ("KES",),
    "ksh.": ("KES",),
    "dt": ("TND",),
    "sr": ("SAR",),
    "qr": ("QAR",),
    "kd": ("KWD",),
    "рублей": ("RUB",),
    "рубли": ("RUB",),
    "рублях": ("RUB",),
    "гривень": ("UAH",),
    "гривнях": ("UAH",),
    "тг": ("KZT",),
    "тенге": ("KZT",),
    "rupees": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "dollars": ("USD",),
    "le": ("EGP",),
    "l.e": ("EGP",),
    "tk": ("BDT",),
    "taka": ("BDT",),
    "dh": ("MAD", "AED"),
    "da": ("DZD",),
    "đ": ("VND",),
    "vnđ": ("VND",),
    "บาท": ("THB",),
    "₲": ("PYG",),
    "₵": ("GHS",),
    "km": ("BAM",),
    "ush": ("UGX",),
    "tsh": ("TZS",),
    "zl": ("PLN",),
    "ден": ("MKD",),
    "b/": ("PAB",),
    "сум": ("UZS",),
    "so'm": ("UZS",),
    "сом": ("KGS",),
    "دج": ("DZD",),
    "ر.ق": ("QAR",),
    "ر.ع": ("OMR",),
    "ل.ل": ("LBP",),
    "د.أ": ("JOD",),
    "jd": ("JOD",),
    "bd": ("BHD",),
    'ש"ח': ("ILS",),
}


def precision(currency: str) -> int:
    """Number of decimals that a currency has: 2 for EUR, 0 for JPY, 3 for KWD.

    Args:
        currency: ISO 4217 code.

    Returns:
        The number; 2 for a currency that is not known.
    """
    return get_currency_precision(currency)


@lru_cache(maxsize=512)
def decimals(currency: str) -> int:
    """Decimals of a price in data: three where the currency has them, otherwise two.

    Args:
        currency: ISO 4217 code.

    Returns:
        2 or 3.
    """
    return min(max(precision(currency), 2), MAX_DECIMALS)


@cache
def active_codes() -> frozenset[str]:
    """ISO 4217 codes of currencies that are legal tender somewhere today, or were until recently."""
    return _FORMER.union(
        code for territory in get_global("territory_currencies") for code in get_territory_currencies(territory)
    )


def currencies_of(mark: str) -> tuple[str, ...]:
    """The currencies that a code or a sign may stand for.

    Args:
        mark: as it stands beside a price: `EUR`, `eur`, `€`, `zł`, `US$`.

    Returns:
        ISO 4217 codes, the most common one first; none if the mark is not one of a currency.
    """
    mark = mark.strip()
    if not mark:
        return ()
    if mark.upper() in active_codes():
        return (mark.upper(),)
    return _signs().get(_sign_key(mark), ())


def _sign_key(sign: str) -> str:
    # CLDR writes marks of direction around some signs, and shops a point after some.
    return sign.casefold().strip("\u200e\u200f\u061c .")


@cache
def _signs() -> dict[str, tuple[str, ...]]:
    return {sign: tuple(codes) for sign, codes in json.loads(_SIGNS_FILE.read_text("utf-8")).items()}


def signs_of_locales() -> dict[str, tuple[str, ...]]:
    """The currencies of each sign, from CLDR's locales: what the file of signs has.

    Returns:
        ISO 4217 codes by sign, the most common one first.
    """
    found: dict[str, dict[str, None]] = {key: dict.fromkeys(codes) for key, codes in _FURTHER_SIGNS.items()}
    locales = [Locale.parse(name) for name in _LOCALES.split()]
    own = [(locale, get_territory_currencies(locale.territory or "")) for locale in locales]
    # First how each country writes its own currency, then how others write it.
    everybody = sorted({code for _, codes in own for code in codes})
    for locale, codes in [*own, *((locale, everybody) for locale in locales)]:
        for code in codes:
            sign = get_currency_symbol(code, locale)
            if sign != code:
                found.setdefault(_sign_key(sign), {})[code] = None
    return {key: _usual_first(key, tuple(codes)) for key, codes in found.items() if _is_clear(key)}


def _is_clear(key: str) -> bool:
    """A single letter beside a number is more than a currency: 12k is 12,000, not kyats."""
    return bool(key) and (len(key) > 1 or not (key.isascii() and key.isalpha()) or key in _FURTHER_SIGNS)


def _usual_first(key: str, codes: tuple[str, ...]) -> tuple[str, ...]:
    usual = _USUAL.get(key)
    return codes if usual is None else (usual, *(code for code in codes if code != usual))


if __name__ == "__main__":
    _rows = (
        f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(codes)}" for key, codes in signs_of_locales().items()
    )
    _SIGNS_FILE.write_text("{\n" + ",\n".join(_rows) + "\n}\n", "utf-8")
