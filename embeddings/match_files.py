"""The same products in two files, such as the feeds of two sellers: reads both, and lists or assigns the pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from embeddings.encoders.base import Encoder
from embeddings.matches import coefficients
from embeddings.matching.assignment import assign
from embeddings.matching.gallery import Entry, Gallery, feature_rows
from embeddings.matching.probability import log_odds
from embeddings.matching.records import Record
from jobs.progress import ProgressCallback, StageProgress
from pictures.photos import ImageRejected, open_rgb
from product_files import row_facts
from product_files.mapping import FieldMapping
from product_files.rows import InvalidSource, PhotoSkipped, Row
from product_files.sources import open_catalogue

# Of each row, so many photos are encoded.
MAX_PHOTOS = 4
# So many at least are encoded together, which uses all cores.
_BATCH_PHOTOS = 64
MAX_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of a file.

    Attributes:
        skus: of the entries.
        entries: what is compared of each row.
        invalid: number of rows that were left out.
        problems: what was wrong with the first MAX_PROBLEMS of them, by line.
        no_photo: number of entries without a usable photo.
    """

    skus: Sequence[str]
    entries: Sequence[Entry]
    invalid: int
    problems: Sequence[tuple[int, str]]
    no_photo: int


@dataclass(frozen=True, slots=True)
class FoundMatch:
    """A pair of rows that may be the same product."""

    left: str
    right: str
    left_title: str
    right_title: str
    probability: float
    photo: float | None
    text: float


def read_records(
    path: Path,
    *,
    mapping: FieldMapping,
    table: str = "",
    images: Path | None,
    encoder: Encoder | None,
    on_progress: ProgressCallback,
) -> Listed:
    """Read a catalogue file as an import would.

    Args:
        path: in any format that can be imported.
        mapping: how columns become fields.
        table: of a zip or workbook with several tables, the one to read.
        images: folder of its photos; None: beside the file.
        encoder: for the photos; None: without photos.
        on_progress: by rows, with the name of the file as stage.

    Returns:
        Its records, of each SKU the first. Photos behind links are passed over.

    Raises:
        InvalidSource: there is no usable catalogue, or no product in it.
    """
    skus: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    entries: list[Entry] = []
    waiting: list[tuple[Record, list[Image.Image]]] = []
    invalid = photos = 0
    with open_catalogue(path, mapping, table=table, images=images) as source:
        progress = StageProgress(on_progress, path.name, source.total)
        for row in source:
            progress.advance()
            error = row.error if row.product is None else _repeated(row, skus)
            if error:
                invalid += 1
                problems += [(row.line, error)] * (invalid <= MAX_PROBLEMS)
                continue
            skus[row.sku] = row.line
            pictures = [] if encoder is None else list(_pictures(row, encoder.input_size))
            waiting.append((_record(row), pictures))
            photos += len(pictures)
            if photos >= _BATCH_PHOTOS:
                entries += _encoded(waiting, encoder)
                waiting.clear()
                photos = 0
    entries += _encoded(waiting, encoder)
    if not entries:
        first = "".join(f": line {line}, {reason}" for line, reason in problems[:1])
        raise InvalidSource(f"{path} has no product{first}")
    return Listed(list(skus), entries, invalid, problems, sum(not len(entry.vectors) for entry in entries))


def match_records(
    left: Listed, right: Listed, *, min_probability: float, one_to_one: bool, on_progress: ProgressCallback
) -> list[FoundMatch]:
    """The pairs of two files.

    Args:
        left: rows that are looked for.
        right: where they are looked for.
        min_probability: the lowest that is returned.
        one_to_one: each row is in one pair at most, so that the sum of the log-odds over `min_probability` is the highest.
        on_progress: by rows of the left file.

    Returns:
        Pairs, by row of the left file, the most probable first.
    """
    gallery, model = Gallery(right.entries), coefficients()
    progress = StageProgress(on_progress, "comparing", len(left.entries))
    found: dict[tuple[int, int], FoundMatch] = {}
    for row, entry in enumerate(left.entries):
        candidates = gallery.candidates(entry)
        probabilities = model.probabilities(feature_rows(candidates)).tolist()
        for candidate, probability in sorted(zip(candidates, probabilities, strict=True), key=lambda each: -each[1]):
            if probability >= min_probability:
                found[row, candidate.row] = FoundMatch(
                    left.skus[row],
                    right.skus[candidate.row],
                    entry.record.title,
                    right.entries[candidate.row].record.title,
                    probability,
                    candidate.evidence.photo,
                    candidate.evidence.text,
                )
        progress.advance()
    if one_to_one:
        # A pair at the lowest probability is still better than none.
        least = log_odds(min_probability) - 1e-6
        chosen = assign((row, column, log_odds(pair.probability) - least) for (row, column), pair in found.items())
        return [found[pair] for pair in sorted(chosen.items())]
    return list(found.values())


def _repeated(row: Row, skus: Mapping[str, int]) -> str:
    return row_facts.SKU_TWICE(sku=row.sku, line=str(skus[row.sku])) if row.sku in skus else ""


def _record(row: Row) -> Record:
    product = row.product
    assert product is not None  # noqa: S101 - checked by the caller
    attributes: dict[str, Any] = product.attributes
    return Record(
        product.title,
        product.brand,
        product.description,
        product.price,
        product.currency,
        {name: str(value) for name, value in attributes.items()},
        product.sku,
    )


def _pictures(row: Row, min_side: int) -> Iterator[Image.Image]:
    """The usable photos of a row, but those behind links."""
    for source in (row.photos or ())[:MAX_PHOTOS]:
        if "://" in source.name:
            continue
        try:
            loaded = source.load({}).photo
        except (ImageRejected, PhotoSkipped):
            continue
        if loaded is not None:
            yield open_rgb(loaded.content, min_side=min_side)


def _encoded(rows: Sequence[tuple[Record, Sequence[Image.Image]]], encoder: Encoder | None) -> Iterator[Entry]:
    pictures = [picture for _, of_row in rows for picture in of_row]
    vectors = iter(encoder.encode(pictures) if encoder and pictures else ())
    for record, of_row in rows:
        yield Entry(record, np.stack(list(islice(vectors, len(of_row))))) if of_row else Entry(record)
