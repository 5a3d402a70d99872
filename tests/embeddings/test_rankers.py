"""Rankers without a database: what they see of a text, their files, judgements, and how they are measured."""

from __future__ import annotations

from pathlib import Path

import ir_measures
import numpy as np
import pytest

from embeddings.errors import InvalidJudgements, RankerUnavailable
from embeddings.ranking.candidates import Asked, Candidate
from embeddings.ranking.contexts import MAX_CONTEXTS, WINDOW, Vocabulary, contexts_of
from embeddings.ranking.corpus import Corpus
from embeddings.ranking.features import FEATURES, feature_rows
from embeddings.ranking.files import BOOSTED, WORDS, fingerprint_of, open_ranker
from embeddings.ranking.judgements import parse_judgements
from embeddings.ranking.quality import mean_of, ndcg
from embeddings.ranking.titles import title_queries
from embeddings.ranking.trees import BoostedRanker, Trees, read_trees, write_trees
from embeddings.ranking.words import WordTable, projected
from embeddings.text.bm25 import ProductText, field_lengths, mean_lengths
from embeddings.text.queries import query_of

PIECES = ["[UNK]", "mug", "##s", "red", "wine", "glass", "##es", "tea", "for", "of"]
TABLE = WordTable(PIECES, np.eye(len(PIECES), 4, dtype=np.float32) + 0.1)
TEXTS = {
    1: ProductText({"title": "Red mug", "description": "A mug for tea, red all over"}),
    2: ProductText({"title": "Mugs", "description": "Six of them, one is red"}),
    3: ProductText({"title": "Wine glass", "description": "Holds wine"}, ("WG-7",)),
}


def ask(text: str) -> tuple[Asked, list[Candidate]]:
    """A query, and what is found for it, best first."""
    query = query_of(text, "en", {})
    corpus = Corpus([query], "en", mean_lengths(field_lengths(each, "en") for each in TEXTS.values()))
    corpus.add(TEXTS)
    return corpus.asked(query), [Candidate(TEXTS[n], score) for n, score in corpus.search(query, 10).items()]


def row(text: str, place: int = 0) -> dict[str, float]:
    """The features of one of the candidates."""
    return dict(zip(FEATURES, feature_rows(*ask(text), TABLE)[place].tolist(), strict=True))


def test_a_search_in_memory_finds_by_meaning_too_where_cosines_are_known() -> None:
    query = query_of("glass", "en", {})
    corpus = Corpus([query], "en", mean_lengths(field_lengths(each, "en") for each in TEXTS.values()))
    corpus.add(TEXTS)
    assert [*corpus.search(query, 10)] == [3]
    assert [*corpus.search(query, 10, {1: 0.9, 2: 0.1, 3: 0.6})] == [3, 1]


class TestWords:
    def test_a_word_is_the_mean_of_its_longest_pieces(self) -> None:
        assert TABLE.pieces_of("glasses") == ["glass", "##es"]
        assert TABLE.pieces_of("zebra") == []
        one, none = TABLE.vectors(["glasses", "zebra"])
        mean = TABLE.vectors(["glass"])[0] * 0 + np.mean([np.eye(10, 4)[5] + 0.1, np.eye(10, 4)[6] + 0.1], axis=0)
        assert one == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
        assert not none.any()

    def test_the_projection_is_the_same_each_time_and_keeps_what_differs_most(self, tmp_path: Path) -> None:
        rows = np.random.default_rng(0).normal(size=(10, 6)) * [9, 5, 1, 0.1, 0.1, 0.1]
        once, again = projected(PIECES, rows, 2), projected(PIECES, rows.copy(), 2)
        words = ["mug", "tea"]
        assert (once.vectors(words) == again.vectors(words)).all()
        once.save(tmp_path / "words.npz")
        assert (WordTable.load(tmp_path / "words.npz").vectors(words) == once.vectors(words)).all()
        assert once.dim == 2

    def test_a_damaged_table_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "words.npz").write_bytes(b"PK nonsense")
        with pytest.raises(RankerUnavailable, match=r"words\.npz cannot be read"):
            WordTable.load(tmp_path / "words.npz")


class TestContexts:
    def test_each_match_of_a_term_has_the_words_around_it(self) -> None:
        vocabulary = Vocabulary(TABLE)
        found = contexts_of(*ask("red mugs"), vocabulary)
        of_first = found.document == 0
        assert found.windows.shape[1] == WINDOW
        # "red mug | mug tea red over": each term twice.
        assert [(int(t), int(p)) for t, p in zip(found.term[of_first], found.place[of_first], strict=True)] == [
            (int(found.term[0]), 0), (1 - int(found.term[0]), 0), (1 - int(found.term[0]), 1), (int(found.term[0]), 1),
        ]  # fmt: skip
        first = vocabulary.vectors()[found.windows[0]]
        assert not first[:5].any()
        assert first[5] == pytest.approx(TABLE.vectors(["red"])[0])
        assert first[6] == pytest.approx(TABLE.vectors(["mug"])[0])
        assert found.position[0] == 1
        assert found.lexical.max() == 1

    def test_of_a_term_that_fills_the_text_the_first_twenty_count(self) -> None:
        asked, _ = ask("mug")
        found = contexts_of(asked, [Candidate(ProductText({"description": "mug " * 50}), 1.0)], Vocabulary(TABLE))
        assert found.place.tolist() == list(range(MAX_CONTEXTS))

    def test_a_text_without_a_match_has_none(self) -> None:
        asked, _ = ask("mug")
        assert contexts_of(asked, [Candidate(TEXTS[3], 0.2)], Vocabulary(TABLE)).windows.shape == (0, WINDOW)


class TestTitles:
    def test_the_title_of_a_product_asks_for_the_rest_of_its_text(self) -> None:
        texts = {
            **TEXTS,
            4: ProductText({"title": "Red mug", "description": "Red mug: of tin"}),
            5: ProductText({"title": "Tea"}),
        }
        (first, *_) = title_queries(texts, "en")
        assert first.text == "Red mug"
        assert first.judged == [1.0]
        own = next(each for each, grade in zip(first.candidates, first.grades, strict=True) if grade)
        assert "title" not in own.text.fields
        assert own.text.fields["description"] == "A mug for tea, red all over"
        assert {each.text.fields["description"] for each in first.candidates} >= {"Six of them, one is red"}

    def test_products_without_other_text_ask_for_nothing(self) -> None:
        assert title_queries({1: ProductText({"title": "Red mug"}), 2: ProductText({"title": "Red mug"})}, "en") == []


class TestFeatures:
    def test_they_say_which_words_are_found_where(self) -> None:
        first = row("red mug")
        assert first["found_title"] == first["found"] == first["neighbours_title"] == first["title_is_query"] == 1
        second = row("red mug", 1)
        assert second["found_title"] == 0.5
        assert second["found_exact_words"] == 0.5
        assert first["bm25_title"] > second["bm25_title"] > 0
        assert first["window"] == 1
        assert second["window"] > 1

    def test_what_is_not_known_is_no_number(self) -> None:
        assert np.isnan(
            [row("mug")[name] for name in ("popularity", "looks", "dense", "neighbours", "bm25_brand")]
        ).all()

    def test_signals_are_features(self) -> None:
        asked, candidates = ask("mug")
        seen = feature_rows(asked, [Candidate(candidates[0].text, 1.0, {"looks": 0.5})], TABLE)
        assert seen[0, FEATURES.index("looks")] == 0.5


class TestFiles:
    def test_a_boosted_ranker_scores_as_its_trees_say(self, tmp_path: Path) -> None:
        write_trees(tmp_path, longer_titles_first())
        TABLE.save(tmp_path / WORDS)
        ranker = open_ranker(tmp_path, BOOSTED)
        assert isinstance(ranker, BoostedRanker)
        assert ranker.scores(*ask("mugs")).tolist() == pytest.approx([-1, 2])

    def test_other_features_and_other_files_are_refused(self, tmp_path: Path) -> None:
        write_trees(tmp_path, longer_titles_first())
        before = fingerprint_of(tmp_path)
        place = tmp_path / "trees.json"
        place.write_text(place.read_text().replace("title_length", "title_width"))
        assert fingerprint_of(tmp_path) != before
        with pytest.raises(RankerUnavailable, match="train it again"):
            read_trees(tmp_path)
        place.write_text("{}")
        with pytest.raises(RankerUnavailable, match="is not a boosted ranker"):
            read_trees(tmp_path)


def longer_titles_first() -> Trees:
    """One tree that scores titles of two words and more by 2, others by -1."""
    feature = FEATURES.index("title_length")
    root = {"feature": feature, "threshold": 1.5, "left": 1, "right": 2, "missing_left": 1, "value": 0.0}
    leaf = {"feature": -1, "threshold": 0.0, "left": 0, "right": 0, "missing_left": 0}
    return Trees.of_nodes([[root, {**leaf, "value": -1.0}, {**leaf, "value": 2.0}]])


class TestJudgements:
    def test_a_file_of_any_delimiter_and_order_is_read(self) -> None:
        content = b"Grade;SKU;query;who\n3;A-1;red  mug;me\n1;A-1;red mug;you\n0;B-2;red mug;me\n\n"
        assert parse_judgements(content, "judged.csv") == {"red mug": {"A-1": 2, "B-2": 0}}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("query,sku\nmug,A\n", r"line 1: there is no column 'grade'; the header has to name query, sku, grade"),
            ("", "line 1: there is no column 'query', 'sku', 'grade'"),
            (
                "query,sku,grade\nmug,A,good\nmug,,1\n",
                r"line 2, column grade: 'good' is not a number.*line 3, column sku: is empty",
            ),
            ("query,sku,grade\nmug,A,-1\n", "line 2, column grade: '-1' is not a number from 0 to 100"),
            ("query,sku,grade\nmug,A,nan\n", "line 2, column grade: 'nan'"),
            ("query,sku,grade\nmug,A\n", "line 2, column grade: is empty"),
            ("query,sku,grade\n", "has no judgements below its header"),
            ("query,sku,grade\nmug,A\0,1\n", "line 2 has a NUL character"),
            ('query,sku,grade\n"mug,A,1\n', r"line \d: this is no CSV"),
            ("query,sku,grade\n" + "mug,A,x\n" * 12, "and 2 more"),
        ],
    )
    def test_a_bad_file_is_refused_by_line_and_column(self, content: str, message: str) -> None:
        with pytest.raises(InvalidJudgements, match=message):
            parse_judgements(content.encode(), "judged.csv")

    def test_a_file_that_is_not_utf_8_is_refused(self) -> None:
        with pytest.raises(InvalidJudgements, match=r"latin\.csv is not in UTF-8: .* Save it as CSV in UTF-8"):
            parse_judgements("query,sku,grade\ncafé,A,1\n".encode("latin-1"), "latin.csv")


class TestQuality:
    def test_ndcg_is_that_of_ir_measures(self) -> None:
        grades = {"a": 3, "b": 0, "c": 1, "d": 2}
        order = ["b", "a", "c"]
        judged = [ir_measures.Qrel("q", name, grade) for name, grade in grades.items()]
        run = [ir_measures.ScoredDoc("q", name, -place) for place, name in enumerate(order)]
        measure = ir_measures.nDCG @ 10
        expected = ir_measures.calc_aggregate([measure], judged, run)[measure]
        assert ndcg([grades[name] for name in order], [*grades.values()]) == pytest.approx(expected)

    def test_the_interval_holds_the_mean_and_narrows_with_more_queries(self) -> None:
        few, many = mean_of([0.0, 1.0] * 10), mean_of([0.0, 1.0] * 1000)
        assert few.low < few.mean == many.mean == 0.5 < few.high
        assert many.high - many.low < (few.high - few.low) / 5
