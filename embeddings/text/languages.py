"""The languages of texts: their stemmer and their stop words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.facts import gettext_noop

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """How words of a language are reduced to what they have in common.

    Attributes:
        name: for users; Django or our own files have its translations.
        algorithm: of Snowball; "" for none, so that words count as they are written.
        stop_words: words that say nothing about a product. Short lists of function words: in a shop, `new`, `system` and
            `computer`, which longer lists contain, are what people look for.
        stems_again: whether a stem is stemmed until nothing changes. The stemmer takes letters from a noun that it leaves in the
            plural (`telefon` is `telefo`, `telefonlar` is `telefon`), so that they meet at the end alone
            (findings/plurals-and-singulars.sh).
    """

    name: str
    algorithm: str
    stop_words: frozenset[str] = frozenset()
    stems_again: bool = False


def _language(name: str, algorithm: str, stop_words: str = "", *, stems_again: bool = False) -> Language:
    return Language(name, algorithm, frozenset(stop_words.split()), stems_again)


# By ISO 639-1 code.
LANGUAGES: Mapping[str, Language] = {
    "ar": _language("Arabic", "arabic"),
    "ca": _language("Catalan", "catalan", "a al als amb de del dels el els en i l la les o per que un una"),
    "cs": _language("Czech", "czech", "a i k na nebo o od po pro s se u v ve z za"),
    "da": _language("Danish", "danish", "af at de den der det du en er et fra i med og om på som til ved"),
    "de": _language(
        "German",
        "german",
        "als am an auch auf aus bei das dem den der des die du ein eine einem einen einer eines er es für ihr im in ist mit nach"
        " oder sie sind so über um und unter vom von vor wie zu zum zur",
    ),
    "el": _language("Greek", "greek", "από για η και με ο οι σε στη στην στο τα τη την της το του των"),
    "en": _language(
        "English",
        "english",
        "a an and are as at be but by for from if in into is it no not of on or such that the their then there these they this to"
        " was will with",
    ),
    "es": _language(
        "Spanish", "spanish", "a al con de del e el en es la las lo los o para por que se sin su sus un una unas unos y"
    ),
    "et": _language("Estonian", "estonian"),
    "fi": _language("Finnish", "finnish", "ei ja joka on se sekä tai"),
    "fr": _language(
        "French",
        "french",
        "à au aux avec c ce ces d dans de des du en est et il l la le les leur n on ou par pas pour qu que qui s sa se ses son sur"
        " un une",
    ),
    "hi": _language("Hindi", "hindi"),
    "hu": _language("Hungarian", "hungarian", "a az egy és hogy is nem s vagy", stems_again=True),
    "id": _language("Indonesian", "indonesian", "dan dari di ini itu ke untuk yang"),
    "it": _language(
        "Italian",
        "italian",
        "a ad al alla alle anche che con d da dal dalla dei del della delle di e è gli i il in l la le lo ma nei nel nella o per"
        " su un una uno",
    ),
    "lt": _language("Lithuanian", "lithuanian"),
    "nb": _language(gettext_noop("Norwegian"), "norwegian", "av de den det du en er et fra i med og om på som til ved"),
    "nl": _language(
        "Dutch",
        "dutch",
        "aan als bij dat de den der deze die dit een en er het in is met naar of om op te uit van voor",
        stems_again=True,
    ),
    "pl": _language("Polish", "polish", "a dla do i jest lub na o od po przez się to u w we z za ze"),
    "pt": _language(
        "Portuguese",
        "portuguese",
        "a ao aos as com da das de do dos e em na nas no nos o os ou para pela pelo por que se um uma",
    ),
    "ro": _language("Romanian", "romanian", "a al ale cu de din este în la o pe pentru sau și un"),
    "ru": _language("Russian", "russian", "а без в во для до и из или к как на не о об от по под при с со у"),
    "sr": _language("Serbian", "serbian"),
    "sv": _language("Swedish", "swedish", "att av de den det du en ett från för i med och om på som till vid är"),
    "tr": _language("Turkish", "turkish", "bir bu da de için ile ve", stems_again=True),
    # Words as they are written, of any language.
    "und": _language(gettext_noop("Any (no stemming)"), ""),
}
