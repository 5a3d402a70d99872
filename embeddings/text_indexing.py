"""Processing of the texts' outbox: weighs words, encodes texts, writes and deletes points, counts document frequencies.

Steps are idempotent.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet

from catalog.json_conditions import attribute_texts
from catalog.models import Category, Product, lineage
from embeddings.backends import get_text_encoder, get_vector_index
from embeddings.document_frequencies import add_frequencies
from embeddings.errors import EncoderMismatch, EncoderUnavailable
from embeddings.indexing import PRODUCT_COLUMNS, claim_index, payload_of, still_live
from embeddings.models import DocumentFrequency, EncoderVersion, IndexedText
from embeddings.selectors import active_versions
from embeddings.stored_vectors import vector_from_bytes, vector_to_bytes
from embeddings.text.bm25 import Document, ProductText, documents_of, field_lengths, mean_lengths
from embeddings.text_outbox import WAITING, ensure_all_texts, mark_text_orphans, products_covered
from embeddings.vector_index.base import NO_VECTOR, Point
from embeddings.written_states import WrittenStates, begin_first_pass, begin_pass, keys_to_write
from jobs.progress import ProgressCallback, StageProgress

State = IndexedText.State
BATCH = 256
# Of a build, which has nobody wait for it: some of what a batch takes is the same for any number of texts.
_BUILD_BATCH = 1000
# Products whose texts say how long texts are; and by how many times the products have to grow until it is measured again.
_MEASURED = 2000
_GROWTH = 4
_TEXT_COLUMNS = ("sku", "title", "brand", "description", "tags", "attributes")
# What a product's text and its payload are made from, each once.
_COLUMNS = tuple(dict.fromkeys(("pk", "category__path", *_TEXT_COLUMNS, *PRODUCT_COLUMNS)))
_own_path = itemgetter(_COLUMNS.index("category__path"))
_text_values = itemgetter(*map(_COLUMNS.index, _TEXT_COLUMNS))
_payload_values = itemgetter(*map(_COLUMNS.index, PRODUCT_COLUMNS))
# Names of attributes with codes, besides the SKU, by which one product is asked for: barcodes and makers' article numbers.
_CODE_ATTRIBUTES = frozenset({"gtin", "gtin8", "gtin12", "gtin13", "gtin14", "ean", "upc", "isbn", "barcode", "mpn"})


class _Row(NamedTuple):
    """A row as it was read, by the columns of the model."""

    pk: int
    product_id: int
    state: str
    revision: int
    terms: bytes | memoryview
    vector: bytes | memoryview | None
    vector_of: str


@dataclass(frozen=True, slots=True)
class _Written:
    """What is in the index of a product's text. vector: as it is stored, None without a text encoder; vector_of: its source."""

    document: Document
    vector: bytes | None = None
    vector_of: str = ""

    @property
    def terms(self) -> bytes:
        """As they are stored."""
        return np.array(sorted(self.document.terms), dtype="<u4").tobytes()

    def is_in(self, row: _Row) -> bool:
        """Whether the row says so already."""
        if row.state != State.INDEXED or self.document.terms != frozenset(_terms(row)):
            return False
        if self.vector is None:
            return True
        return row.vector is not None and (self.vector, self.vector_of) == (bytes(row.vector), row.vector_of)


@dataclass(frozen=True, slots=True)
class TextReport:
    """Number of texts that were indexed and removed."""

    indexed: int = 0
    removed: int = 0

    def __add__(self, other: TextReport) -> TextReport:
        return TextReport(self.indexed + other.indexed, self.removed + other.removed)


def process_texts(product_ids: Iterable[int] | None = None) -> TextReport:
    """Process the texts' outbox of every active version.

    Args:
        product_ids: of the rows; None for all rows.

    Returns:
        Counts of the processed rows. Rows that changed in the meantime are not counted and stay in the outbox.

    Raises:
        IndexLocked: another process holds the index. The rows are unchanged.
        IndexUnavailable: the index does not respond. The rows are unchanged.
        EncoderUnavailable: a text encoder's files are missing or damaged. Rows of other versions are processed.
        EncoderMismatch: a text encoder's files were replaced. Rows are processed likewise.
    """
    report = TextReport()
    errors: list[EncoderMismatch | EncoderUnavailable] = []
    chosen = Q() if product_ids is None else Q(product_id__in=list(product_ids))
    for version in active_versions():
        rows = IndexedText.objects.filter(version=version)
        if product_ids is None and not rows.exists():
            # A version from before texts were indexed, or a catalogue that is written without events.
            ensure_all_texts(version)
        due = rows.filter(chosen, state__in=WAITING)
        if not due.exists():
            continue
        version.refresh_from_db(
            fields=["index_generation", "rebuild_started_at", "text_lengths", "text_encoder", "text_dim"]
        )
        try:
            report += _process_version(version, due)
        except (EncoderMismatch, EncoderUnavailable) as error:
            # As with photos: other collections do not wait for the files of this one.
            errors.append(error)
    if errors:
        raise errors[0]
    return report


def _process_version(version: EncoderVersion, due: QuerySet[IndexedText]) -> TextReport:
    report = TextReport()
    claim_index(version)
    lengths = _lengths(version)
    if not version.rebuilding:
        for batch in _batches(due.filter(state=State.REMOVED)):
            report += _delete(version, batch)
    for batch in _batches(due.filter(state=State.PENDING)):
        report += _index(version, batch, lengths)
    return report


def build_texts(
    version: EncoderVersion,
    name: str,
    before: WrittenStates | None,
    *,
    text_encoder: str,
    is_live: bool,
    on_progress: ProgressCallback | None = None,
) -> WrittenStates:
    """Write texts to the next generation of a version's text index.

    Args:
        version: whose texts.
        name: of the index collection that is being built.
        before: what the pass before wrote, to write those that changed since; None for all.
        text_encoder: of the next generation; "" for words alone.
        is_live: whether another generation answers queries, for which waiting rows go on waiting.
        on_progress: called with the stage "texts" where they are encoded.

    Returns:
        What this pass wrote.

    Raises:
        EncoderUnavailable: the text encoder's files are missing or damaged.
        EncoderMismatch: the text encoder's files were replaced.
        IndexUnavailable: the index does not respond.
    """
    if before is None:
        ensure_all_texts(version)
        mark_text_orphans(version)
        _measure(version)
    lengths = version.text_lengths
    rows = IndexedText.objects.filter(version=version).exclude(state=State.REMOVED)
    # A text encoder takes so long that its progress is worth smaller batches.
    size = BATCH if text_encoder else _BUILD_BATCH
    if before is None:
        now, batches = begin_first_pass(rows), _batches(rows, size)
    else:
        now = begin_pass()
        changed = keys_to_write(rows, before, now)
        batches = chain.from_iterable(_batches(rows.filter(pk__in=keys), size) for keys in changed)
    progress = StageProgress(on_progress, "texts", rows.count()) if on_progress and text_encoder else None
    for batch in batches:
        done = _write(version, name, batch, lengths, text_encoder)
        chosen = [row for row in batch if not is_live or row.state == State.INDEXED]
        # Of most products everything is as it was: nothing is written for those, nor counted.
        differing = [row for row in chosen if row.product_id in done and not done[row.product_id].is_in(row)]
        if differing:
            with transaction.atomic():
                _mark(version, differing, done)
        if progress:
            progress.advance(len(batch))
    if before is None:
        DocumentFrequency.objects.filter(version=version, documents__lte=0).delete()
    return now


def repair_texts(version: EncoderVersion) -> int:
    """Compare the live text index with the database; what differs is enqueued, and points without a row are deleted.

    Args:
        version: whose index, which this process has claimed.

    Returns:
        How many texts are indexed again or were deleted.
    """
    index, name = get_vector_index(), version.text_collection().name
    repaired = ensure_all_texts(version) + mark_text_orphans(version)
    rows = IndexedText.objects.filter(version=version)
    seen: set[int] = set()
    for points in index.scroll(name):
        found = {point.id: point.payload for point in points}
        seen |= found.keys()
        states = dict(rows.filter(product_id__in=[*found]).values_list("product_id", "state"))
        wanted = _read([each for each, state in states.items() if state == State.INDEXED]).payloads
        stale = [each for each, payload in wanted.items() if found[each] != payload]
        strangers = [each for each in found if each not in states]
        rows.filter(product_id__in=stale).mark_pending()
        index.delete(name, strangers)
        repaired += len(stale) + len(strangers)
    for batch in _batches(rows.filter(state=State.INDEXED)):
        missing = [row.product_id for row in batch if row.product_id not in seen]
        repaired += rows.filter(product_id__in=missing).mark_pending() if missing else 0
    return repaired


def texts_of(product_ids: Sequence[int]) -> dict[int, ProductText]:
    """Read the texts of products, in three queries.

    Args:
        product_ids: the products.

    Returns:
        By product. Deleted products are omitted.
    """
    return _read(product_ids).texts


@dataclass(frozen=True, slots=True)
class _Read:
    """Products as they were read.

    Attributes:
        rows: of the columns in _COLUMNS.
        links: of their other categories, by product, in the order of the paths: the link's id, and the path.
    """

    rows: Sequence[Sequence[Any]]
    links: Mapping[int, Sequence[tuple[int, str]]]

    @property
    def texts(self) -> dict[int, ProductText]:
        """By product."""
        names = _category_names({each for row in self.rows for path in self._paths(row) for each in lineage(path)})
        return {
            row[0]: ProductText(
                {
                    "title": title,
                    "brand": brand,
                    "description": description,
                    "tags": " ".join(tags),
                    "attributes": _attributes_text(attributes),
                    "categories": " ".join(
                        dict.fromkeys(
                            names[each] for path in self._paths(row) for each in lineage(path) if each in names
                        )
                    ),
                },
                (sku, *_codes(attributes)),
            )
            for row in self.rows
            for sku, title, brand, description, tags, attributes in [_text_values(row)]
        }

    @property
    def payloads(self) -> dict[int, dict[str, Any]]:
        """By product: the fields of PAYLOAD_FIELDS."""
        return {
            row[0]: payload_of(_payload_values(row), (path for _, path in self.links.get(row[0], ())))
            for row in self.rows
        }

    def _paths(self, row: Sequence[Any]) -> list[str]:
        """Of the categories of a product: its own, and the others in the order in which it was put there."""
        own = _own_path(row)
        return [*([own] if own else []), *(path for _, path in sorted(self.links.get(row[0], ())))]


def _read(product_ids: Sequence[int]) -> _Read:
    """Read what texts and payloads are made from, in two queries."""
    link = Product.other_categories.through.objects.filter(product__pk__among=product_ids).order_by("category__path")
    links: dict[int, list[tuple[int, str]]] = {}
    rows = list(Product.objects.filter(pk__among=product_ids).values_list(*_COLUMNS))
    for product_id, number, path in link.values_list("product_id", "pk", "category__path"):
        links.setdefault(product_id, []).append((number, path))
    return _Read(rows, links)


def _category_names(paths: set[str]) -> dict[str, str]:
    return dict(Category.objects.filter(path__in=paths).values_list("path", "name"))


def _attributes_text(attributes: Mapping[str, Any]) -> str:
    """Names are left out: every product has the same."""
    return " ".join(
        text for value in attributes.values() if not isinstance(value, dict) for text in attribute_texts(value)
    )


def _codes(attributes: Mapping[str, Any]) -> list[str]:
    return [
        text
        for name, value in attributes.items()
        if name.lower().replace("_", "").replace("-", "") in _CODE_ATTRIBUTES and not isinstance(value, dict)
        for text in attribute_texts(value)
    ]


def _batches(rows: Any, size: int = BATCH) -> Iterator[list[_Row]]:
    last = 0
    rows = rows.order_by("pk").values_list(*_Row._fields)
    while batch := [*map(_Row._make, rows.filter(pk__gt=last)[:size])]:
        yield batch
        last = batch[-1].pk


def _index(version: EncoderVersion, rows: Sequence[_Row], lengths: Mapping[str, float]) -> TextReport:
    done = _write(version, version.text_collection().name, rows, lengths, version.text_encoder)
    gone = [row.pk for row in rows if row.product_id not in done]
    if gone:
        IndexedText.objects.filter(pk__in=gone, state=State.PENDING).mark_removed()
    with transaction.atomic():
        if not still_live(version):
            return TextReport()
        return TextReport(indexed=_mark(version, rows, done))


def _write(
    version: EncoderVersion, name: str, rows: Sequence[_Row], lengths: Mapping[str, float], text_encoder: str
) -> dict[int, _Written]:
    """Write the points of rows. Returns what was written by product, of products that there are."""
    read = _read([row.product_id for row in rows])
    texts, payloads = read.texts, read.payloads
    language = version.collection.language
    vectors = _vectors(rows, texts, text_encoder) if text_encoder else {}
    documents = documents_of(texts.values(), language, lengths)
    done = {
        product_id: _Written(document, *vectors.get(product_id, ()))
        for product_id, document in zip(texts, documents, strict=True)
    }
    points = [
        Point(
            each,
            NO_VECTOR if written.vector is None else vector_from_bytes(written.vector),
            payloads[each],
            written.document.vectors,
        )
        for each, written in done.items()
    ]
    get_vector_index().upsert(name, points)
    return done


def _vectors(rows: Sequence[_Row], texts: Mapping[int, ProductText], text_encoder: str) -> dict[int, tuple[bytes, str]]:
    """The text encoder's vector of each product, and what it is of. Encoded again only where the text or the encoder changed."""
    sources = {
        product_id: hashlib.sha256(f"{text_encoder}\n{text.whole}".encode()).hexdigest()
        for product_id, text in texts.items()
    }
    found = {
        row.product_id: (bytes(row.vector), row.vector_of)
        for row in rows
        if row.vector is not None and row.vector_of == sources.get(row.product_id)
    }
    missing = [each for each in texts if each not in found]
    encoded = get_text_encoder(text_encoder).encode([texts[each].whole for each in missing])
    return found | {
        each: (vector_to_bytes(vector), sources[each]) for each, vector in zip(missing, encoded, strict=True)
    }


def _mark(version: EncoderVersion, rows: Sequence[_Row], done: Mapping[int, _Written]) -> int:
    """Mark rows as indexed that did not change meanwhile, and count their terms instead of those before."""
    revisions = {row.pk: row.revision for row in rows if row.product_id in done}
    locked = IndexedText.objects.select_for_update().filter(pk__in=[*revisions]).order_by("pk")
    unchanged = [row for row in locked if row.revision == revisions[row.pk] and row.state != State.REMOVED]
    changes: Counter[int] = Counter()
    for row in unchanged:
        changes.subtract(_terms(row))
        written = done[row.product_id]
        changes.update(written.document.terms)
        row.terms = written.terms
        if written.vector is not None:
            row.vector, row.vector_of = written.vector, written.vector_of
    IndexedText.objects.mark_indexed(unchanged)
    add_frequencies(version.pk, changes)
    return len(unchanged)


def _delete(version: EncoderVersion, rows: Sequence[_Row]) -> TextReport:
    get_vector_index().delete(version.text_collection().name, [row.product_id for row in rows])
    with transaction.atomic():
        if not still_live(version, and_not_rebuilding=True):
            return TextReport()
        gone = IndexedText.objects.select_for_update().filter(pk__in=[row.pk for row in rows]).order_by("pk")
        changes: Counter[int] = Counter()
        removed = [row for row in gone if row.state == State.REMOVED]
        for row in removed:
            changes.subtract(_terms(row))
        # One that came back meanwhile may have been written before its point was deleted.
        back = [row.pk for row in gone if row.state == State.INDEXED]
        IndexedText.objects.filter(pk__in=back).mark_pending()
        IndexedText.objects.filter(pk__in=[row.pk for row in removed]).delete()
        add_frequencies(version.pk, changes)
    return TextReport(removed=len(removed))


def _terms(row: IndexedText | _Row) -> list[int]:
    counted: list[int] = np.frombuffer(row.terms, dtype="<u4").tolist()
    return counted


def _lengths(version: EncoderVersion) -> Mapping[str, float]:
    """Mean lengths of the fields, measured again and all texts written again where there are many more products than before."""
    measured = version.text_lengths.get("products", 0)
    products = IndexedText.objects.filter(version=version).exclude(state=State.REMOVED).count()
    if not measured or products >= _GROWTH * measured:
        _measure(version)
        IndexedText.objects.filter(version=version, state=State.INDEXED).mark_pending()
    lengths: Mapping[str, float] = version.text_lengths
    return lengths


def _measure(version: EncoderVersion) -> None:
    ids = list(products_covered(version).values_list("pk", flat=True))
    sample = random.Random(0).sample(sorted(ids), min(_MEASURED, len(ids)))
    language = version.collection.language
    lengths = mean_lengths(
        field_lengths(text, language)
        for start in range(0, len(sample), BATCH)
        for text in texts_of(sample[start : start + BATCH]).values()
    )
    version.text_lengths = {"products": max(1, len(ids)), **lengths}
    version.save(update_fields=["text_lengths"])
