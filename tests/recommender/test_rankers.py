"""Rankers in use: trained on judgements, activated, rolled back, and what they change in a search by words."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, User
from catalog.models import Product
from embeddings import ranker_versions, versions
from embeddings.models import Collection, IndexedText, RankerVersion
from embeddings.ranking.features import FEATURES
from embeddings.ranking.files import BOOSTED, WORDS
from embeddings.ranking.trees import write_trees
from embeddings.selectors import clear_live_collection_cache, live_collection
from embeddings.stored_vectors import vector_to_bytes
from embeddings.text_indexing import process_texts, texts_of
from recommender.click_judgements import judgements_of_clicks
from recommender.events import store
from recommender.judged_queries import judgements_of_file
from recommender.models import Event
from recommender.ranking import candidates_of
from tests.embeddings.test_rankers import TABLE, longer_titles_first
from tests.factories import ProductFactory
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop

BETTER = {"difference": {"mean": 0.1, "low": 0.05, "high": 0.15}, "ndcg": {"mean": 0.6, "low": 0.5, "high": 0.7}}
WORSE = {"difference": {"mean": -0.1, "low": -0.2, "high": 0.1}}
LIST = "admin:embeddings_rankerversion_changelist"


@pytest.fixture(autouse=True)
def encoders_root(settings: Any, tmp_path: Path) -> Path:
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.ENCODERS_ROOT.mkdir()
    return tmp_path / "encoders"


@pytest.fixture
def mugs(shop: Shop) -> dict[str, Product]:
    """Of which the text search finds those with short titles first."""
    titles = ["Mug", "Mug of tin", "Mug of blue tin"]
    products = {title: shop.add((1, 0, 0), title=title, brand="") for title in titles}
    process_texts()
    return products


def register(metrics: dict[str, Any] = BETTER) -> RankerVersion:
    """A ranker that puts longer titles first."""
    folder = versions.create_staging_folder()
    write_trees(folder, longer_titles_first())
    TABLE.save(folder / WORDS)
    collection = Collection.objects.get(slug="all")
    return ranker_versions.register_ranker(collection, folder, BOOSTED, recipe={"rounds": 1}, data={}, metrics=metrics)


def found(api: Client, text: str = "mug", **parameters: Any) -> list[str]:
    answer = api.get("/api/search", {"text": text, **parameters}).json()
    return [each["product"]["title"] for each in answer["results"]]


def said(command: str, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue().strip()


class TestInASearch:
    def test_the_active_ranker_says_the_order_from_the_next_search_on(self, mugs: Any, api: Client) -> None:
        before = found(api)
        assert before == ["Mug", "Mug of tin", "Mug of blue tin"]
        version = register()
        assert found(api) == before
        assert said("activate_ranker", version.label) == "all-r1 is active"
        assert found(api) == ["Mug of tin", "Mug of blue tin", "Mug"]
        assert said("rollback_ranker") == "searches of all are in the order of the words again, without a ranker"
        assert found(api) == before
        assert said("rollback_ranker") == "all-r1 is active again"

    def test_pages_of_the_order_are_parts_of_it(self, mugs: Any, api: Client) -> None:
        ranker_versions.activate_ranker(register())
        assert [found(api, limit=1, offset=at)[0] for at in range(3)] == found(api)

    def test_explain_names_the_ranker_and_its_scores(self, mugs: Any, api: Client) -> None:
        ranker_versions.activate_ranker(register())
        answer = api.get("/api/search", {"text": "mug", "explain": "true"}).json()
        assert answer["ranker"] == "all-r1"
        assert [each["parts"]["ranker"] for each in answer["results"]] == [2, 2, -1]
        scores = [each["score"] for each in answer["results"]]
        assert scores == [each["parts"]["text"] for each in answer["results"]]
        plain = api.get("/api/search", {"text": "mug"}).json()
        assert "ranker" not in plain

    def test_without_a_ranker_explain_names_none(self, mugs: Any, api: Client) -> None:
        answer = api.get("/api/search", {"text": "mug", "explain": "true"}).json()
        assert "ranker" not in answer
        assert answer["results"][0]["parts"].keys() == {"text", "looks"}

    def test_an_exact_sku_stays_first(self, mugs: dict[str, Product], api: Client) -> None:
        ranker_versions.activate_ranker(register())
        assert found(api, mugs["Mug"].sku)[0] == "Mug"

    def test_suggestions_while_typing_are_in_the_order_of_the_words(self, mugs: Any, api: Client) -> None:
        before = found(api, typing="true")
        ranker_versions.activate_ranker(register())
        assert found(api, typing="true") == before

    def test_files_that_were_replaced_are_an_error_that_names_the_ranker(
        self, mugs: Any, api: Client, encoders_root: Path
    ) -> None:
        version = register()
        (encoders_root / version.files / "trees.json").write_text("{}")
        with pytest.raises(CommandError, match=r"all-r1 in .* are missing or were replaced"):
            said("activate_ranker", "all-r1")
        Collection.objects.update(active_ranker=version)
        clear_live_collection_cache()
        assert "all-r1" in problem(api.get("/api/search", {"text": "mug"}), 503)["detail"]


class TestVersions:
    def test_one_that_was_no_better_is_refused_unless_that_is_allowed(self, shop: Shop) -> None:
        register(WORSE)
        with pytest.raises(CommandError, match=r"no better than .* -0\.1000 nDCG@10 .*: --allow-worse activates it"):
            said("activate_ranker", "all-r1")
        assert said("activate_ranker", "all-r1", allow_worse=True) == "all-r1 is active"

    def test_unknown_ones_and_a_roll_back_to_nothing_are_errors(self, shop: Shop) -> None:
        with pytest.raises(CommandError, match="there is no ranker version 'all-r7'; there is: none"):
            said("activate_ranker", "all-r7")
        with pytest.raises(CommandError, match=r"no ranker was ever active in all: manage\.py activate_ranker"):
            said("rollback_ranker")

    def test_the_admin_activates_rolls_back_and_deletes(self, shop: Shop, client: Client, encoders_root: Path) -> None:
        client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
        first, second = register(), register(WORSE)

        def run(action: str, *chosen: RankerVersion) -> list[str]:
            data = {"action": action, "_selected_action": [version.pk for version in chosen]}
            answer = client.post(reverse(LIST), data, follow=True)
            return [str(message) for message in answer.context["messages"]]

        assert run("activate", first) == ["all-r1 is active."]
        assert AuditEntry.objects.filter(actor="admin", action__contains="rankerversion").exists()
        assert "no better" in run("activate", second)[0]
        page = client.get(reverse(LIST)).content.decode()
        assert "+0.100 (+0.050 to +0.150)" in page
        detail = client.get(reverse("admin:embeddings_rankerversion_change", args=[first.pk])).content.decode()
        assert "0.600 (0.500 to 0.700)" in detail
        assert run("delete_versions", first) == ["All-r1 ranks searches, or is kept for a roll-back."]
        assert run("delete_versions", second) == ["all-r2 is deleted, with its files."]
        assert not (encoders_root / second.files).exists()
        assert run("roll_back", first) == ["Searches of all are in the order of the words again."]
        assert run("roll_back", first) == ["all-r1 is active again."]


COLOURS = ("red", "blue", "green", "black", "white", "brown", "pink", "grey")
THINGS = ("mug", "lamp", "sofa", "table", "plate", "chair")


def judged(shop: Shop, tmp_path: Path) -> Path:
    """Judgements by which people want the thing itself, not the cleaner of it, which the text search finds first."""
    lines = ["query,sku,grade"]
    for thing in THINGS:
        for colour in COLOURS:
            wanted = ProductFactory.create(
                title=f"{thing} with {colour} stripes", brand="", description="made of oak and steel"
            )
            other = ProductFactory.create(
                title=f"{colour} {thing}", brand="", description=f"cleaner for a {colour} {thing}"
            )
            lines += [f"{colour} {thing},{wanted.sku},2", f"{colour} {thing},{other.sku},0"]
    file = tmp_path / "judgements.csv"
    file.write_text("\n".join(lines))
    return file


def searched(events: list[tuple[str, Event]], collection: str = "all") -> None:
    """Store events after searches by words, each with its query."""
    for query, event in events:
        event.collection, event.query = collection, query
    store([event for _, event in events])


def click(product_id: int, position: int) -> Event:
    return Event(type=Event.Type.CLICK, result_id=product_id, position=position)


class TestClicks:
    def test_what_stands_above_a_click_was_looked_at(self, mugs: dict[str, Product]) -> None:
        first, second, third = (product.pk for product in mugs.values())
        seen = Event(type=Event.Type.IMPRESSION, results=[first, second, third])
        searched([("mug", seen), *(("mug", click(second, 2)) for _ in range(3))])
        # Of too few clicks, of other collections and of what was no search nothing is learned.
        searched([("tin", click(third, 1)), *(("", click(third, 1)) for _ in range(3))])
        searched([("mug", click(third, 1)) for _ in range(3)], "other")
        assert judgements_of_clicks("all") == {"mug": {first: 0.0, second: 1.0}, "tin": {}}

    @pytest.mark.tensorflow
    def test_a_ranker_is_trained_on_them(self, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("training.rankers.word_table", lambda: TABLE)
        for query, grades in judgements_of_file(judged(shop, tmp_path)).items():
            worse, better = sorted(grades, key=lambda each: grades[each])
            seen = Event(type=Event.Type.IMPRESSION, results=[worse, better])
            searched([(query, seen), *((query, click(better, 2)) for _ in range(3))])
        output = said("train_ranker", clicks=True, only="boosted")
        assert "trained on 34 queries, measured on 14 kept aside" in output
        assert "boosted trees is the best, and better than the text order." in output


class TestJudgements:
    @pytest.fixture(autouse=True)
    def small_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("training.rankers.word_table", lambda: TABLE)

    @pytest.mark.tensorflow
    def test_a_ranker_learns_what_people_want_and_is_activated(self, shop: Shop, tmp_path: Path, api: Client) -> None:
        file = judged(shop, tmp_path)
        process_texts()
        assert found(api, "red mug")[0] == "red mug"
        output = said("train_ranker", judgements=file, only="boosted", activate=True)
        assert "trained on 34 queries, measured on 14 kept aside" in output
        assert "boosted trees is the best, and better than the text order." in output
        assert "all-r1 is active" in output
        version = RankerVersion.objects.get()
        assert (version.kind, version.data) == ("boosted", {"trained_on": 34, "kept_aside": 14})
        assert version.metrics["difference"]["low"] > 0
        assert found(api, "red mug")[0] == "mug with red stripes"

    @pytest.mark.tensorflow
    def test_the_trees_that_are_served_score_as_those_that_were_trained(self) -> None:
        import xgboost

        from training.boosted import trees_of

        generator = np.random.default_rng(0)
        rows = generator.normal(size=(200, len(FEATURES))).astype(np.float32)
        rows[generator.random(rows.shape) < 0.2] = np.nan
        wanted = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1], nan=2.0)
        booster = xgboost.train({"max_depth": 4, "nthread": 1}, xgboost.DMatrix(rows, wanted), 20)
        difference = booster.predict(xgboost.DMatrix(rows)) - trees_of(booster).predict(rows)
        # But for the constant that a booster begins with.
        assert difference == pytest.approx(difference.mean(), abs=1e-4)

    @pytest.mark.tensorflow
    def test_both_kinds_are_trained_and_the_report_says_which_is_better(
        self, shop: Shop, tmp_path: Path, api: Client
    ) -> None:
        file = judged(shop, tmp_path)
        process_texts()
        output = said("train_ranker", judgements=file)
        assert "all-r1: boosted trees" in output
        assert "all-r2: DeepRank" in output
        assert re.search(r"(boosted trees|DeepRank) is the best, and better than the text order\.", output)
        deeprank = RankerVersion.objects.get(kind="deeprank")
        assert deeprank.recipe["titles"] > 40
        ranker_versions.activate_ranker(deeprank, allow_worse=True)
        answer = api.get("/api/search", {"text": "red mug", "explain": "true"}).json()
        assert answer["ranker"] == "all-r2"
        scores = [each["parts"]["ranker"] for each in answer["results"]]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1]

    @pytest.mark.tensorflow
    def test_too_few_judgements_and_unknown_skus_are_errors(self, shop: Shop, tmp_path: Path) -> None:
        file = tmp_path / "judgements.csv"
        file.write_text("query,sku,grade\nmug,NONE-1,1\n")
        with pytest.raises(CommandError, match=r"no product has any of its 1 SKUs \(NONE-1"):
            said("train_ranker", judgements=file)
        product = ProductFactory.create(title="Mug")
        file.write_text(f"query,sku,grade\nmug,{product.sku},1\n")
        with pytest.raises(
            CommandError, match="of 1 judged queries, 0 find both better and worse products: it takes 20"
        ):
            said("train_ranker", judgements=file)
        with pytest.raises(CommandError, match=r"gone\.csv cannot be read: No such file"):
            said("train_ranker", judgements=tmp_path / "gone.csv")
        assert not RankerVersion.objects.exists()

    @pytest.mark.tensorflow
    def test_an_interrupted_training_changes_nothing(
        self, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoders_root: Path
    ) -> None:
        active = register()
        ranker_versions.activate_ranker(active)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("training.boosted.train_trees", interrupt)
        with pytest.raises(CommandError, match="Interrupted: searches are ranked as before"):
            said("train_ranker", judgements=judged(shop, tmp_path), only="boosted")
        assert Collection.objects.get(slug="all").active_ranker == active
        assert [path.name for path in encoders_root.iterdir()] == [active.files]


def test_popular_products_are_a_signal(mugs: dict[str, Product]) -> None:
    ids = [product.pk for product in mugs.values()]
    Event.objects.create(type=Event.Type.PURCHASE, product_id=ids[1], quantity=3, created_at="2026-01-01T00:00Z")
    seen = candidates_of(live_collection("all"), ids, {ids[0]: 1.0}, texts_of(ids), None)
    assert [round(each.signals["popularity"], 3) for each in seen] == [0, 1.386, 0]
    assert all(each.signals["looks"] == pytest.approx(1) for each in seen)


def test_the_meaning_is_a_signal_where_texts_are_encoded(mugs: dict[str, Product]) -> None:
    ids = [product.pk for product in mugs.values()]
    near = vector_to_bytes(np.array([3, 4], np.float32))
    IndexedText.objects.filter(product_id=ids[1]).update(vector=near)
    seen = candidates_of(live_collection("all"), ids, {}, texts_of(ids), np.array([0, 1], np.float32))
    assert [each.signals.get("dense") for each in seen] == [None, pytest.approx(0.8), None]
