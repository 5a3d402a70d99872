"""Texts of products in the index: what is found after which change, and what a rebuild keeps."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from catalog.models import Product
from catalog.services import delete_products, save_product, withdraw_products
from embeddings import generations, text_indexing, versions
from embeddings.backends import get_vector_index
from embeddings.coverage import set_coverage, update_rows
from embeddings.document_frequencies import frequencies_of
from embeddings.models import Collection as SimilarityCollection
from embeddings.models import DocumentFrequency, EncoderVersion, IndexedText
from embeddings.text.analysis import term_id
from embeddings.text.queries import query_of
from embeddings.text.ranking import lexical_scores
from embeddings.text_indexing import process_texts
from embeddings.text_outbox import index_texts_again
from embeddings.vector_index.base import SparseQuery, SparseVector
from embeddings.written_states import WrittenStates
from product_files.product_data import ProductData
from tests.embeddings.conftest import CountingEncoder

State = IndexedText.State


@pytest.fixture(autouse=True)
def nobody_else_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process has to be given time to notice a switch."""
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)


@pytest.fixture(params=["memory", "edge"], autouse=True)
def engine(request: pytest.FixtureRequest, version: EncoderVersion) -> None:
    """Each index that needs no server."""
    if request.param == "edge":
        request.getfixturevalue("edge")


def product(sku: str, title: str, **data: Any) -> int:
    return save_product(ProductData(sku, title, **data))[0].pk


def found(version: EncoderVersion, text: str) -> list[str]:
    """The SKUs of the products that a text finds, best first."""
    live = EncoderVersion.objects.select_related("collection").get(pk=version.pk)
    name = live.text_collection().name

    def ask(using: str, vector: SparseVector, among: Collection[int] | None = None) -> dict[int, float]:
        hits = get_vector_index().query_sparse(name, SparseQuery(using, vector))
        return {hit.id: hit.score for hit in hits if among is None or hit.id in among}

    query = query_of(text, live.collection.language, {})
    scores = lexical_scores(ask, query, frequencies_of(live.pk, query.looked_up))
    skus = dict(Product.objects.filter(pk__in=scores).values_list("pk", "sku"))
    return [skus[each] for each in scores if each in skus]


def counted(version: EncoderVersion) -> dict[int, int]:
    rows = DocumentFrequency.objects.filter(version=version).exclude(documents=0)
    return dict(rows.values_list("term", "documents"))


def recounted(version: EncoderVersion) -> dict[int, int]:
    """The document frequencies, counted again from what the index holds."""
    counts: Counter[int] = Counter()
    for terms in IndexedText.objects.filter(version=version).values_list("terms", flat=True):
        counts.update(np.frombuffer(terms, dtype="<u4").tolist())
    return dict(counts)


def test_words_of_every_field_are_found(version):
    product("1", "Blue mug", brand="Nordwind", tags=["breakfast"], attributes={"material": "stoneware", "ml": 350})
    product("2", "Plate", category=("Kitchen", "Dinner plates"), description="Goes with every tablecloth.")
    process_texts()
    for text in ("mugs blue", "nordwind", "breakfasts", "stoneware", "350"):
        assert found(version, text) == ["1"], text
    for text in ("kitchen", "dinner", "tablecloths"):
        assert found(version, text) == ["2"], text


def test_a_product_is_found_by_its_codes_first(version):
    product("MBS-100", "Speaker")
    product("7", "Stand for MBS 100", attributes={"gtin": "4006381333931"})
    process_texts()
    assert found(version, "mbs100")[0] == "MBS-100"
    assert found(version, "MBS-100") == ["MBS-100", "7"]
    assert found(version, "4006381333931") == ["7"]


def test_a_changed_title_is_found_by_its_new_words_alone(version):
    product("1", "Blue mug")
    process_texts()
    product("1", "Green bowl")
    assert process_texts() == text_indexing.TextReport(indexed=1)
    assert found(version, "bowl") == ["1"]
    assert found(version, "mug") == []
    assert counted(version) == recounted(version)


def test_a_deleted_product_and_its_words_are_gone(version):
    first = product("1", "Blue mug")
    product("2", "Blue plate")
    process_texts()
    delete_products([first])
    assert process_texts() == text_indexing.TextReport(removed=1)
    assert found(version, "blue") == ["2"]
    assert counted(version) == recounted(version)
    assert max(counted(version).values()) == 1


def test_an_inactive_product_stays_and_is_filtered_out(version):
    first = product("1", "Blue mug")
    process_texts()
    withdraw_products([first])
    process_texts()
    point = get_vector_index().retrieve(version.text_collection().name, [first])[first]
    assert point.payload["active"] is False


def test_a_change_during_the_processing_is_not_lost(version, monkeypatch):
    product("1", "Blue mug")
    write = text_indexing._write

    def changed_meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(text_indexing, "_write", write)
        written = write(*arguments)
        product("1", "Green bowl")
        return written

    monkeypatch.setattr(text_indexing, "_write", changed_meanwhile)
    assert process_texts() == text_indexing.TextReport(indexed=0)
    assert process_texts() == text_indexing.TextReport(indexed=1)
    assert found(version, "bowl") == ["1"]
    assert counted(version) == recounted(version)


def test_a_reindex_switches_texts_and_photos_together(version):
    product("1", "Blue mug")
    process_texts()
    former = version.text_collection().name
    product("2", "Blue plate")
    call_command("reindex")
    live = EncoderVersion.objects.select_related("collection").get(pk=version.pk)
    assert live.text_collection().name != former
    assert not get_vector_index().exists(former)
    assert found(version, "blue") == ["1", "2"]
    assert counted(version) == recounted(version)
    assert set(IndexedText.objects.values_list("state", flat=True)) == {State.INDEXED}


def test_texts_are_counted_once_by_any_number_of_reindexes(version):
    first, _ = product("1", "Blue mug"), product("2", "Blue plate")
    process_texts()
    before = counted(version)
    call_command("reindex")
    call_command("reindex")
    assert counted(version) == recounted(version) == before
    # Written past the services, so that nothing is enqueued.
    Product.objects.filter(pk=first).update(title="Green mug")
    call_command("reindex")
    assert counted(version) == recounted(version)
    assert (found(version, "green"), found(version, "blue")) == (["1"], ["2"])


def test_a_change_during_a_rebuild_is_in_the_new_index(version, monkeypatch):
    first = product("1", "Blue mug")
    product("2", "Red mug")
    process_texts()
    build = generations.build_texts

    def changed_after(*arguments: Any, **options: Any) -> WrittenStates:
        monkeypatch.setattr(generations, "build_texts", build)
        written = build(*arguments, **options)
        product("2", "Green bowl")
        delete_products([first])
        process_texts()
        return written

    monkeypatch.setattr(generations, "build_texts", changed_after)
    call_command("reindex")
    process_texts()
    assert found(version, "bowl") == ["2"]
    assert found(version, "mug") == []
    assert counted(version) == recounted(version)


def test_a_new_version_gets_texts_of_its_own(version, encoder: CountingEncoder):
    product("1", "Blue mug")
    process_texts()
    coming = versions.create_version(version.collection, "counting")
    versions.activate(coming)
    assert found(coming, "mug") == ["1"]
    product("1", "Green bowl")
    process_texts()
    assert (found(coming, "bowl"), found(version, "bowl")) == (["1"], [])
    versions.roll_back(version.collection)
    process_texts()
    assert found(version, "bowl") == ["1"]


def test_verify_mends_the_text_index(version):
    first, second = product("1", "Blue mug"), product("2", "Blue plate")
    process_texts()
    name = version.text_collection().name
    get_vector_index().delete(name, [first])
    get_vector_index().set_payload(name, [second], {"brand": "Acme"})
    call_command("reindex", "--verify")
    assert found(version, "blue") == ["1", "2"]
    assert get_vector_index().retrieve(name, [second])[second].payload["brand"] == ""


def test_a_product_that_a_collection_does_not_cover_any_more_is_not_found(version):
    product("1", "Blue mug", category=("Kitchen",))
    product("2", "Blue shirt", category=("Clothing",))
    process_texts()
    set_coverage(version.collection, ["clothing"], covers_all=False)
    update_rows(version.collection, lambda *_: None)
    process_texts()
    assert found(version, "blue") == ["2"]


def test_another_language_indexes_all_texts_again(version):
    product("1", "Blaue Bücher")
    process_texts()
    book = term_id("buch", "de")
    assert book not in counted(version)
    SimilarityCollection.objects.filter(pk=version.collection_id).update(language="de")
    index_texts_again(version.collection_id)
    process_texts()
    assert found(version, "Buch") == ["1"]
    assert counted(version)[book] == 1
    assert counted(version) == recounted(version)


def test_lengths_are_measured_again_where_the_shop_has_grown(version):
    product("0", "Mug")
    process_texts()
    for number in range(1, 5):
        product(str(number), f"Large blue mug number {number}")
    process_texts()
    version.refresh_from_db()
    assert version.text_lengths["products"] == 5
    assert version.text_lengths["title"] == pytest.approx((1 + 4 * 5) / 5)
    assert not IndexedText.objects.exclude(state=State.INDEXED).exists()


@pytest.mark.django_db(transaction=True)
def test_two_processes_count_each_text_once(version_of_all):
    version = version_of_all
    for number in range(30):
        product(str(number), f"mug number {number}")
    threads = [threading.Thread(target=_process_and_close) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(version) == recounted(version)
    assert counted(version)[0] == 30


def _process_and_close() -> None:
    from django.db import connection

    process_texts()
    connection.close()
