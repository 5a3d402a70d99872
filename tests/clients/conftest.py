"""A small shop on a running server, for programs that talk to its API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import LazySettings
from pytest_django.live_server_helper import LiveServer

from catalog.models import Product
from embeddings.indexing import process_outbox
from embeddings.selectors import clear_live_collection_cache
from embeddings.text_indexing import process_texts
from tests.catalog.shop import stock


@dataclass(frozen=True)
class ServedShop:
    """Its address, and its products, which look a little alike."""

    url: str
    mug: Product
    others: list[Product]


@pytest.fixture
def shop(transactional_db: None, live_server: LiveServer, settings: LazySettings) -> Iterator[ServedShop]:
    """A shop of three products whose photos are indexed."""
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    settings.API_WRITES = "keys"
    clear_live_collection_cache()
    mug = stock("Blue mug", attributes={"colour": "blue"}, sku="MUG/17")
    others = [stock("Red mug", attributes={"colour": "red"}), stock("Tea cup", attributes={"colour": "blue"})]
    process_outbox()
    process_texts()
    yield ServedShop(str(live_server.url), mug, others)
    clear_live_collection_cache()
