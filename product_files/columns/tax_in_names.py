"""What names of columns say about the tax of a price: `Prix HT`, `Price (incl. VAT)`, `Ціна без ПДВ`, `税込価格`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from product_files.columns.header_names import key_of
from product_files.values.currencies import currencies_of


def _plain(text: str) -> str:
    """A text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def _any_of(words: str) -> str:
    return "|".join(sorted(_plain(words).split(), key=len, reverse=True))


# Names of a tax on what is sold, and words in front of them and behind them.
_TAX = r"mw ?st|" + _any_of(
    "vat tax taxes taxe gst iva igic btw ust mehrwertsteuer umsatzsteuer dph tva moms mva alv kdv ндс пдв ддс φπα áfa ppn"
    " pdv ddv pvm impuesto impuestos imposto impostos"
)
_WITHOUT = _any_of(
    "ex exc excl excluding exclusive without before ohne zzgl exkl exklusive hors sans sin sem senza escl zonder exclusief bez"
    " ekskl eksklusive eks ekskludert utan uden uten fără без χωρίς nélkül ilman sebelum tanpa"
)
_WITH = _any_of(
    "inc incl including inclusive with inkl inklusive mit con com avec met inclusief s z cu sis sisältää med с з με"  # noqa: RUF001 -- Cyrillic
    " termasuk incluso incluido incluye"
)
_BEHIND_WITHOUT = _any_of(
    "ex excl excluding excluded exclusive esclusa escluso excluido excluida excluído hariç 0 nélkül nélküli"
)
_BEHIND_WITH = _any_of("inc incl including included inclusive inclusa incluso incluido incluida incluído dahil inclus")
# A word that says it alone; those that are also of weights say it of a price only.
_NET_ALONE, _GROSS_ALONE = _any_of("ht htva hors-taxes kdvsiz"), _any_of("ttc tvac ivato ivata kdvli")
_NET_OF_PRICE, _GROSS_OF_PRICE = (
    _any_of("net nett netto neto nettó нетто veroton"),
    _any_of("gross brutto bruto bruttó брутто verollinen"),
)
_PHRASES = tuple(
    (is_net, is_certain, re.compile(pattern))
    for is_net, is_certain, pattern in (
        (
            True,
            True,
            rf"\b(?:{_WITHOUT})(?: of)? (?:{_TAX})\b|\b(?:{_TAX}) (?:{_BEHIND_WITHOUT})\b|\b(?:{_NET_ALONE})\b",
        ),
        (False, True, rf"\b(?:{_WITH})(?: of)? (?:{_TAX})\b|\b(?:{_TAX}) (?:{_BEHIND_WITH})\b|\b(?:{_GROSS_ALONE})\b"),
        (True, True, _plain("税抜き?|税別|不含税|不含稅|未税|未稅|부가세 ?별도|부가세 ?제외|vat ?별도")),
        (False, True, _plain("税込み?|含税|含稅|부가세 ?포함|vat ?포함")),
        (True, False, rf"\b(?:{_NET_OF_PRICE})\b|\b(?:netto)(?=[^\W_]{{2}})"),
        (False, False, rf"\b(?:{_GROSS_OF_PRICE})\b|\b(?:brutto)(?=[^\W_]{{2}})"),
    )
)
_MAX_CHARACTERS = 60
_WORD_IN_CAPITALS = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_MARK = re.compile(r"[^\w\s()\[\],.:;%*/\-]+|\b[A-Z]{3}\b|(?<=_)[a-z]{3}$")
_ABBREVIATED = re.compile(r"\b(ex|exc|excl|inc|incl|inkl|exkl|eks|ekskl|sis|escl)\.(?=\w)", re.IGNORECASE)
# Of JSON and XML: what is nested may be in cents.
_NESTED = re.compile(r"\w[./]\w")


@dataclass(frozen=True, slots=True)
class TaxInName:
    """What a name says about the tax of a price.

    Attributes:
        is_net: whether the price is without the tax.
        rest: key of the rest of the name, "" if it has no other word.
        currency: the code of the currency that it names; "" for none.
    """

    is_net: bool
    rest: str
    currency: str


@lru_cache(4096)
def tax_in(header: str) -> TaxInName | None:
    """What the name of a column says about the tax of its prices.

    Args:
        header: the name.

    Returns:
        None where it says nothing of a tax, or might be of a weight: `Netto`.
    """
    name = _ABBREVIATED.sub(r"\1 ", header)
    if len(name) > _MAX_CHARACTERS or _NESTED.search(name):
        return None
    currency = ""
    for mark in _MARK.findall(name):
        if (codes := currencies_of(mark)) and not re.fullmatch(_TAX, _plain(mark)):
            currency, name = codes[0], name.replace(mark, " ")
    words = re.sub(r"[\W_]+", " ", _plain(_WORD_IN_CAPITALS.sub(" ", name))).strip()
    for is_net, is_certain, phrase in _PHRASES:
        rest, number = phrase.subn(" ", words)
        if number and (is_certain or currency or rest.strip()):
            return TaxInName(is_net, key_of(rest), currency)
    return None
