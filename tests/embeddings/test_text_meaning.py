"""A text encoder of a collection: from when on texts are found by their meaning, and what each change encodes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.services import save_product
from embeddings import generations, versions
from embeddings.backends import get_text_encoder, get_vector_index
from embeddings.encoders.text import TextEncoder
from embeddings.errors import EncoderUnavailable, IndexUnavailable
from embeddings.models import Collection, EncoderVersion, IndexedText
from embeddings.text_indexing import process_texts
from embeddings.vector_index.base import VectorQuery
from product_files.product_data import ProductData
from tests.embeddings.conftest import CountingEncoder
from tests.text_encoder import make_text_encoder


@pytest.fixture(autouse=True)
def nobody_else_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process has to be given time to notice a switch."""
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)


@pytest.fixture(params=["memory", "edge"], autouse=True)
def engine(request: pytest.FixtureRequest, version: EncoderVersion) -> None:
    """Each index that needs no server."""
    if request.param == "edge":
        request.getfixturevalue("edge")


@pytest.fixture
def name(settings: Any, tmp_path: Path) -> str:
    """A text encoder, not in use."""
    settings.ENCODERS_ROOT = tmp_path
    return make_text_encoder(tmp_path)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were encoded."""
    texts: list[str] = []
    encode = TextEncoder.encode

    def noted(self: TextEncoder, some: Sequence[str]) -> Any:
        texts.extend(some)
        return encode(self, some)

    monkeypatch.setattr(TextEncoder, "encode", noted)
    return texts


def product(sku: str, title: str, **data: Any) -> int:
    return save_product(ProductData(sku, title, **data))[0].pk


def use(*arguments: str) -> str:
    out = StringIO()
    call_command("use_text_encoder", *arguments, stdout=out)
    return out.getvalue()


def live(version: EncoderVersion) -> EncoderVersion:
    return EncoderVersion.objects.select_related("collection").get(pk=version.pk)


def nearest(version: EncoderVersion, text: str) -> list[int]:
    """Ids of the products whose texts mean this."""
    now = live(version)
    query = VectorQuery(positive=[get_text_encoder(now.text_encoder).encode([text])[0]], min_score=0.5)
    return [hit.product_id for hit in get_vector_index().query(now.text_collection().name, query)]


def test_a_standing_index_is_built_anew_with_the_meaning_of_every_text(version: EncoderVersion, name: str) -> None:
    sofa, lamp = product("1", "Sofa"), product("2", "Lamp")
    process_texts()
    former = version.text_collection().name
    assert name in use(name)
    assert not get_vector_index().exists(former)
    assert (nearest(version, "couch"), nearest(version, "light")) == ([sofa], [lamp])


def test_without_a_text_encoder_nothing_is_encoded(version: EncoderVersion, encoded: list[str]) -> None:
    product("1", "Sofa")
    process_texts()
    assert encoded == []
    assert live(version).text_collection().dim == 0


def test_a_new_title_is_found_by_its_meaning_and_a_new_price_encodes_nothing(
    version: EncoderVersion, name: str, encoded: list[str]
) -> None:
    first = product("1", "Sofa", price=Decimal(10))
    process_texts()
    use(name)
    encoded.clear()
    product("1", "Sofa", price=Decimal(20))
    process_texts()
    assert encoded == []
    product("1", "Lamp", price=Decimal(20))
    process_texts()
    assert encoded == ["Lamp"]
    encoded.clear()
    assert (nearest(version, "light"), nearest(version, "couch")) == ([first], [])


def test_a_reindex_keeps_the_meaning_and_encodes_nothing_again(
    version: EncoderVersion, name: str, encoded: list[str]
) -> None:
    first = product("1", "Sofa")
    process_texts()
    use(name)
    encoded.clear()
    call_command("reindex")
    assert encoded == []
    assert nearest(version, "couch") == [first]


def test_a_new_version_of_the_encoder_of_photos_keeps_the_text_encoder(
    version: EncoderVersion, name: str, encoder: CountingEncoder
) -> None:
    first = product("1", "Sofa")
    process_texts()
    use(name)
    coming = versions.create_version(version.collection, "counting")
    versions.activate(coming)
    assert nearest(coming, "couch") == [first]


def test_switched_off_the_index_has_words_alone_again(version: EncoderVersion, name: str) -> None:
    product("1", "Sofa")
    process_texts()
    use(name)
    assert "by words alone" in use("--off")
    assert (live(version).text_encoder, live(version).text_collection().dim) == ("", 0)
    product("2", "Couch")
    assert process_texts().indexed == 1


def test_a_build_that_fails_leaves_the_index_and_the_setting_as_they_were(
    version: EncoderVersion, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    product("1", "Sofa")
    process_texts()

    def unavailable(*_: Any, **__: Any) -> int:
        raise IndexUnavailable("away")

    monkeypatch.setattr(generations, "build_texts", unavailable)
    with pytest.raises(CommandError, match="away"):
        use(name)
    monkeypatch.undo()
    assert Collection.objects.get().text_encoder == live(version).text_encoder == ""
    assert live(version).text_collection().name == version.text_collection().name
    assert not live(version).rebuilding
    product("2", "Lamp")
    assert process_texts().indexed == 1


def test_an_unknown_text_encoder_is_refused_with_those_there_are(version: EncoderVersion, name: str) -> None:
    with pytest.raises(CommandError, match=rf"no text encoder 'text-unknown'.*{name}"):
        use("text-unknown")


def test_texts_wait_while_the_files_of_the_text_encoder_are_away(
    version: EncoderVersion, name: str, settings: Any, tmp_path: Path
) -> None:
    first = product("1", "Sofa")
    process_texts()
    use(name)
    product("1", "Lamp")
    settings.ENCODERS_ROOT = tmp_path / "elsewhere"
    with pytest.raises(EncoderUnavailable, match=name):
        process_texts()
    assert IndexedText.objects.get().state == IndexedText.State.PENDING
    shutil.copytree(tmp_path / name, settings.ENCODERS_ROOT / name)
    assert process_texts().indexed == 1
    assert nearest(version, "light") == [first]


def test_texts_of_another_collection_do_not_wait_for_those_files(
    version: EncoderVersion, name: str, settings: Any, tmp_path: Path
) -> None:
    product("1", "Sofa")
    process_texts()
    use(name)
    # After "all", in the order of collections.
    plain = Collection.objects.create(slug="plain", name="Plain", covers_all=True)
    plain.active_version = versions.create_version(plain, "counting")
    plain.save()
    product("2", "Lamp")
    settings.ENCODERS_ROOT = tmp_path / "elsewhere"
    with pytest.raises(EncoderUnavailable, match=name):
        process_texts()
    states = IndexedText.objects.filter(version=plain.active_version).values_list("state", flat=True)
    assert [*states] == [IndexedText.State.INDEXED]
