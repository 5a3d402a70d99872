"""Words of a text, their weights and synonyms, as everyone who searches notices them."""

from pathlib import Path

import numpy as np
import pytest

from embeddings.errors import InvalidSynonyms
from embeddings.text.analysis import EVERY_DOCUMENT, code_of, grams_of, split_words, terms_of
from embeddings.text.bm25 import (
    CODES,
    GRAMS,
    WORDS,
    Document,
    ProductText,
    documents_of,
    field_lengths,
    grams_query,
    mean_lengths,
    words_query,
)
from embeddings.text.fusion import normalised_fusion
from embeddings.text.queries import query_of
from embeddings.text.ranking import unknown_words
from embeddings.text.synonyms import colour_synonyms, read_synonyms, widened
from tests.memory_index import sparse_product


class Shop:
    """A few products and how often their terms occur."""

    def __init__(self, *texts: ProductText, language: str = "en") -> None:
        self.language = language
        lengths = mean_lengths(field_lengths(text, language) for text in texts)
        self.documents: list[Document] = documents_of(texts, language, lengths)
        self.frequencies: dict[int, int] = {}
        for document in self.documents:
            for term in document.terms:
                self.frequencies[term] = self.frequencies.get(term, 0) + 1

    def scores(self, text: str) -> list[float]:
        wanted = words_query(query_of(text, self.language, colour_synonyms(self.language)), self.frequencies)
        return [sparse_product(each.vectors[WORDS], wanted) for each in self.documents]


def test_a_document_is_the_same_alone_and_among_others() -> None:
    texts = [
        ProductText({"title": "Blue mug", "description": "A blue, blue mug for tea"}, ("MBS-100", "4006381333931")),
        ProductText({}),
        ProductText({"brand": "Pier", "tags": "new new"}),
    ]
    lengths = mean_lengths(field_lengths(text, "en") for text in texts)
    together = documents_of(texts, "en", lengths)
    alone = [document for text in texts for document in documents_of([text], "en", lengths)]

    assert documents_of([], "en", lengths) == []
    for one, other in zip(together, alone, strict=True):
        assert one.terms == other.terms
        assert one.vectors.keys() == other.vectors.keys()
        for name, vector in one.vectors.items():
            assert np.array_equal(vector.indices, np.unique(vector.indices))
            assert np.array_equal(vector.indices, other.vectors[name].indices)
            assert np.array_equal(vector.values, other.vectors[name].values)
    assert [[*each.vectors] for each in together] == [["words", "grams", "codes"], [], ["words", "grams"]]


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "running shoes", "run shoe"),
        ("de", "Bücher", "Buch"),
        ("fr", "chaussures légères", "chaussure legere"),
        ("es", "zapatos rojos", "zapato rojo"),
        ("ru", "красные кружки", "красная кружка"),
        ("tr", "elbiseler telefonlar çantalar", "elbise telefon çanta"),
        ("tr", "KIRMIZI ÇANTA", "k\u0131rm\u0131z\u0131 çanta"),
        ("hu", "ruhák lámpák órák", "ruha lámpa óra"),
        ("nl", "kussens laarzen", "kussen laars"),
        ("hi", "जूते साड़ियाँ", "जूता साड़ी"),
        ("pl", "stoły", "stol"),
        ("und", "CAFÉ", "cafe"),
    ],
)
def test_forms_of_a_word_are_one_term(language: str, one: str, other: str) -> None:
    assert terms_of(one, language) == terms_of(other, language)


def test_stop_words_are_of_the_language() -> None:
    assert terms_of("the mug and die Tasse", "en") == ["mug", "die", "tass"]
    assert terms_of("the mug and die Tasse", "de") == ["the", "mug", "and", "tass"]


def test_scripts_without_spaces_are_found_by_pairs_of_characters() -> None:
    assert split_words("青いマグカップ 350ml") == ["青い", "いマ", "マグ", "グカ", "カッ", "ップ", "350ml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("İpek GÖMLEK", ["ipek", "gömlek"]),
        ("कुर्ती और जूते", ["कुर्ती", "और", "जूते"]),
        ("ผ้าไหม", ["ผ้", "้า", "าไ", "ไห", "หม"]),
    ],
)
def test_marks_do_not_divide_a_word(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_a_fraction_of_one_sign_is_found_as_it_is_typed() -> None:
    assert split_words("Boots 5½, M8") == split_words("boots 5 1/2 m8") == ["boots", "5", "1", "2", "m8"]


def test_a_noun_and_its_plural_meet_before_nothing_is_left_of_them() -> None:
    assert terms_of("çantalar", "tr") == terms_of("çanta", "tr") == ["canta"]


def test_a_word_in_the_title_counts_more_than_one_in_the_description() -> None:
    shop = Shop(
        ProductText({"title": "blue mug", "description": "for tea"}),
        ProductText({"title": "tea pot", "description": "beside a mug"}),
        ProductText({"title": "plain plate", "description": "of stoneware"}),
    )
    first, second, third = shop.scores("mugs")
    assert first > second > third == 0


def test_a_rare_word_counts_more_than_one_that_most_products_have() -> None:
    shop = Shop(*(ProductText({"title": title}) for title in ("red mug", "green mug", "blue mug", "blue plate")))
    red_mug, green_mug, blue_mug, blue_plate = shop.scores("red mug")
    assert red_mug > green_mug == blue_mug > blue_plate == 0
    assert shop.frequencies[EVERY_DOCUMENT] == 4


def test_a_word_with_a_typing_error_shares_most_n_grams_with_the_right_one() -> None:
    shop = Shop(ProductText({"title": "Keyboard"}), ProductText({"title": "Skateboard"}), ProductText({"title": "Mug"}))
    query = query_of("keybord", "en", {})
    assert shop.scores("keybord") == [0, 0, 0]
    wanted = grams_query(["keybord"], query, shop.frequencies)
    right, similar, other = (sparse_product(each.vectors[GRAMS], wanted) for each in shop.documents)
    assert right > similar > other


def test_an_unfinished_word_is_the_beginning_of_others() -> None:
    assert set(grams_of("keyb", is_whole=False)) <= set(grams_of("keyboard"))
    assert not set(grams_of("keyb")) <= set(grams_of("keyboard"))


@pytest.mark.parametrize("typed", ["MBS-100", "mbs100", " MBS 100 ", "the mbs-100"])
def test_an_article_number_is_found_however_it_is_typed(typed: str) -> None:
    shop = Shop(ProductText({"title": "Speaker"}, codes=["MBS-100"]))
    asked = query_of(typed, "en", {}).codes
    assert set(shop.documents[0].vectors[CODES].indices.tolist()) & set(asked)
    assert code_of("MBS-100 ") == "mbs100"


def test_synonyms_of_a_file_widen_what_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text("# shoes\nsofa, couch, settees\ntrainers => running shoes # one way\n")
    synonyms = read_synonyms(path, "en")
    assert widened(terms_of("red couches", "en"), synonyms) == {"red": 1.0, "couch": 1.0, "sofa": 0.7, "sette": 0.7}
    assert widened(terms_of("trainers", "en"), synonyms) == {"trainer": 1.0, "run": 0.35, "shoe": 0.35}
    assert widened(terms_of("running shoes", "en"), synonyms) == {"run": 1.0, "shoe": 1.0}


def test_a_colour_finds_its_family_below_products_that_say_the_colour() -> None:
    fields = {"attributes": "burgundy", "tags": "burgundy"}
    shop = Shop(
        ProductText({"title": "Burgundy mug", **fields}),
        ProductText({"title": "Mug", "attributes": "red"}),
        ProductText({"title": "Red mug"}),
        ProductText({"title": "Blue mug"}),
    )
    shade, attribute, title, other = shop.scores("red")
    assert title > attribute > shade > other == 0
    assert [score > 0 for score in shop.scores("burgundy")] == [True, False, False, False]


@pytest.mark.parametrize(
    ("language", "asked", "found"), [("de", "rote", "weinrot"), ("fr", "rouges", "bordeaux"), ("es", "rojo", "")]
)
def test_colours_have_families_by_language(language: str, asked: str, found: str) -> None:
    others = widened(terms_of(asked, language), colour_synonyms(language)).keys() - {*terms_of(asked, language)}
    assert ({*terms_of(found, language)} <= others) if found else not others


def test_a_file_of_synonyms_adds_to_colours_and_its_one_way_lines_replace_them(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text("red, cherry\nblue => navy\ngreen => green\n")
    synonyms = read_synonyms(path, "en", colour_synonyms("en"))
    assert {"cherri", "burgundi"} <= widened(["red"], synonyms).keys()
    assert widened(["blue"], synonyms) == {"blue": 1.0, "navi": 0.7}
    assert widened(["green"], synonyms) == {"green": 1.0}


def test_a_short_word_that_no_product_has_is_not_looked_for_inside_others() -> None:
    shop = Shop(ProductText({"title": "Tapered mug"}))
    assert unknown_words(query_of("hte mug", "en", {}), shop.frequencies) == []
    assert unknown_words(query_of("tapred mug", "en", {}), shop.frequencies) == ["tapred"]


@pytest.mark.parametrize(
    "line", ["sofa", "=> sofa", "sofa =>", "the, and", "a b c d e f g h i j k, sofa bed cat dog mug pot"]
)
def test_a_line_that_is_no_synonym_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text(f"sofa, couch\n{line}\n")
    with pytest.raises(InvalidSynonyms, match="line 2"):
        read_synonyms(path, "und" if "the" not in line else "en")


def test_a_query_of_stop_words_alone_asks_for_them() -> None:
    assert query_of("to be", "en", {}).words


def test_equal_fused_scores_come_by_ascending_id() -> None:
    assert [*normalised_fusion([{5: 2.0, 3: 1.0}, {3: 0.5}])] == [3, 5]
