"""Whether a product can be bought or is shown, from the words, numbers and addresses that shops write."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from product_files import row_facts
from product_files.rows import RowRejected

# Without case, spaces, hyphens and underscores, which differ from shop to shop.
_YES = """
1 true yes y on ja j wahr oui o vrai sí si s verdadero sim verdadeiro tak t prawda vero x да истина так ano
kyllä igen da evet ναι はい 有 예 是 ya نعم
"""
_NO = """
0 false no n off nein falsch non faux falso não nao nie nee fałsz нет ложь ні ne
nej nei ei nem nu hayır όχι いいえ 無 아니오 否 tidak لا
"""
# English first, with the words of schema.org, Google, Meta and of shop systems; then German, French, Spanish, Italian, Dutch,
# Polish, Portuguese, Russian, Ukrainian and Czech; then those of Scandinavia, Hungary, Romania, Turkey, Greece and East Asia.
_IN_STOCK = """
instock, available, availablenow, limitedavailability, limitedstock, lowstock, fewleft, availablefororder,
availabletoorder, orderable,
instoreonly, onlineonly,
backorder, onbackorder, backordered, availableonbackorder, inventory, ships, readytoship, madetoorder,
auflager, verfügbar, lieferbar, sofortlieferbar, sofortverfügbar, vorrätig, wenigeverfügbar, bestellbar,
enstock, disponible, stocklimité, surcommande, disponiblesurcommande,
existencias, enexistencias, hayexistencias, stocklimitado, bajopedido,
disponibile, disponibilitàlimitata, inmagazzino, ordinabile,
opvoorraad, voorradig, leverbaar, beschikbaar, beperktopvoorraad,
dostępny, dostępna, dostępne, wmagazynie, nastanie, namagazynie, nazamówienie,
disponível, emestoque, emstock, sobencomenda,
вналичии, есть, естьвналичии, доступен, доступно, подзаказ, наскладе, много, мало, достаточно,
внаявності, є, євнаявності, доступний, підзамовлення, наскладі, готовдовідправки, закінчується,
skladem, dostupné, dostupný, naskladě, naobjednávku, forsale, forrent,
ilager, finnsilager, pålager, varastossa, saatavilla, raktáron, készleten, rendelhető, înstoc, pestoc, disponibil,
stoktavar, stokta, mevcut, σεαπόθεμα, διαθέσιμο, άμεσαδιαθέσιμο,
在庫あり, 有り, あり, 残りわずか, 판매중, 재고있음, 有货, 有貨, 现货, 現貨,
tersedia
"""
_OUT_OF_STOCK = """
outofstock, unavailable, notavailable, notinstock, soldout, nostock,
discontinued, endoflife, obsolete, oos, reserved,
nichtauflager, nichtverfügbar, nichtlieferbar, nichtvorrätig, ausverkauft, vergriffen, eingestellt,
épuisé, rupture, rupturedestock, enrupture, indisponible, horsstock, nondisponible, arrêté,
agotado, sinexistencias, sinstock, nodisponible, fueradestock, descatalogado,
esaurito, nondisponibile, nonisponibile, fuoriproduzione, terminato,
nietopvoorraad, uitverkocht, nietleverbaar, nietbeschikbaar, nietvoorradig,
niedostępny, niedostępna, niedostępne, brak, brakwmagazynie, wyprzedany, wyprzedane,
esgotado, indisponível, semestoque, semstock, descontinuado,
нетвналичии, нет, отсутствует, недоступен, недоступно, снятспроизводства, распродано, закончился,
немаєвнаявності, немає, відсутній, недоступний, знятозвиробництва, розпродано, закінчився,
nenískladem, vyprodáno, nedostupné, nedostupný, sold, rented,
slut, slutilager, slutsåld, ejilager, udsolgt, ikkepålager, utsolgt, loppu, eivarastossa, nincsraktáron, nincskészleten, elfogyott,
stocepuizat, epuizat, indisponibil, stoktayok, tükendi, yok, εξαντλημένο, μηδιαθέσιμο,
在庫なし, 在庫切れ, 売り切れ, 売切れ, 品切れ, 無し, なし,
품절, 일시품절, 판매중지, 재고없음, 缺货, 缺貨, 无货, 無貨, 售罄, habis
"""
# To be bought, but not as others: the word is kept.
_SPECIAL = """
preorder, presale, preordered, availableforpreorder, ondisplaytoorder, vorbestellbar, vorbestellung, précommande, preventa,
prevenda,
prevendita, preordine, prenotabile, voorbestelling, przedsprzedaż, precompra, prereserva, comingsoon, предзаказ, передзамовлення,
předobjednávka
"""
_SHOWN = """
active, enabled, published, visible, public, publish, live, online, aktiv, actif, activo, attivo, actief, aktywny, ativo,
активен, опубликован, опубликовано, активний, опубліковано, aktivní, zobrazeno,
publicerad, synlig, udgivet, publisert, aktiivinen, julkaistu, aktív, látható, activ, publicat, aktif, yayında, ενεργό,
公開, 公開中, 掲載する, 表示, 表示する, 販売中, 진열함, 전시중, 판매중, 上架, 已上架, 在售
"""
_HIDDEN = """
inactive, disabled, unpublished, draft, hidden, invisible, private, archived, pending, deleted, trash, offline, notvisible,
inaktiv, inactif, inactivo, inattivo, inactief, nieaktywny, inativo, entwurf, brouillon, borrador, bozza, concept, szkic, rascunho,
dold, inaktív, rejtett, inactiv, pasif, ανενεργό, utkast, kladde, luonnos, taslak, 非公開, 掲載しない, 非表示, 表示しない, 下書き,
진열안함, 전시중지, 판매중지, 下架, 已下架, 未上架, nonaktif
"""

_SCHEMA_ORG = re.compile(r"(https?://)?(www\.)?schema\.org/", re.IGNORECASE)
# A stock, with what stands around it: `> 10`, `10+`, `3 pcs.`.
_STOCK = re.compile(
    r"(?:[<>≥≤~]=?|more than|über|plus de|más de)?\s*(?P<minus>[-\u2212])?\s*(?P<number>\d[\d., ]*)\s*\+?\s*"
    r"(?:pcs?\.?|pieces?|items?|units?|left|available|in stock|st(?:k|ck|ück)?\.?|auf lager|verfügbar|pièces?|en stock|unidades|"
    r"uds?\.?|pezzi|pz\.?|stuks?|op voorraad|szt\.?|sztuk|шт\.?|ks\.?|kusů)?",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", " ").split())


_SAID_YES = _words(_YES)
_SAID_NO = _words(_NO)
_SAID_SPECIAL = _words(_SPECIAL)
_SAID_AVAILABLE = _words(_IN_STOCK) | _SAID_YES | _SAID_SPECIAL
_SAID_UNAVAILABLE = _words(_OUT_OF_STOCK) | _SAID_NO
_SAID_SHOWN = _words(_SHOWN) | _SAID_YES
_SAID_HIDDEN = _words(_HIDDEN) | _SAID_NO


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a product can be bought. word: as in the source, if it says more than that: `pre-order`."""

    available: bool
    word: str = ""


def parse_availability(text: str) -> Availability:
    """Parse `in stock`, `InStock`, `https://schema.org/OutOfStock`, `pre-order`, `yes`, or a number of items such as `10+`.

    Args:
        text: the value.

    Returns:
        Whether the product can be bought.

    Raises:
        RowRejected: the text is none of these.
    """
    text = " ".join(text.split())
    stock = _stock(text)
    if stock is not None:
        return Availability(available=stock)
    word = _simplified(_SCHEMA_ORG.sub("", text))
    if word in _SAID_SPECIAL:
        return Availability(available=True, word=text)
    if word in _SAID_AVAILABLE:
        return Availability(available=True)
    if word in _SAID_UNAVAILABLE:
        return Availability(available=False)
    raise RowRejected(row_facts.AVAILABILITY_UNKNOWN(text=repr(text[:40])))


def parse_boolean(text: str, *, name: str) -> bool:
    """Parse `yes`, `published`, `0`, `draft` or another number.

    Args:
        text: the value.
        name: of the field, for the error.

    Returns:
        Whether it is true.

    Raises:
        RowRejected: the text is none of these.
    """
    number = _stock(text)
    if number is not None:
        return number
    word = _simplified(text)
    if word in _SAID_SHOWN:
        return True
    if word in _SAID_HIDDEN:
        return False
    raise RowRejected(row_facts.NEITHER_YES_NOR_NO(field=name, text=repr(text[:40])))


def says_yes(text: str) -> bool:
    """Whether a text means yes.

    Args:
        text: the value.

    Returns:
        False also for what is neither yes nor no.
    """
    return _simplified(text) in _SAID_YES


def _simplified(text: str) -> str:
    return re.sub(r"[\s_\-.'’]+", "", unicodedata.normalize("NFKC", text).casefold())


def _stock(text: str) -> bool | None:
    """Whether a number of items is above zero; None if the text is not one."""
    match = _STOCK.fullmatch(text.strip())
    if match is None:
        return None
    # Without int(): Python converts at most 4,300 digits.
    return not match["minus"] and bool(match["number"].strip("0., "))
