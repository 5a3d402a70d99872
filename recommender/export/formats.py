"""The formats of an export. Each writes one answer at a time, so that memory does not grow with the catalogue."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any, Protocol

from recommender.export.answers import ExportedAnswer

# Where Shopify's own "Search & Discovery" keeps related products, which themes show.
METAFIELD = "shopify--discovery--product_recommendation.related_products"
_DIGITS = 6


class Write(Protocol):
    """Writes one answer."""

    def __call__(self, answer: ExportedAnswer, /) -> None: ...


Format = Callable[[IO[str], Mapping[str, Any]], AbstractContextManager[Write]]


def _document(answer: ExportedAnswer) -> dict[str, Any]:
    return {
        "product": answer.id,
        "sku": answer.sku,
        "fallback": answer.fallback,
        "results": [
            {
                "product": each.id,
                "sku": each.sku,
                "score": None if each.score is None else round(each.score, _DIGITS),
                "confidence": None if each.confidence is None else round(each.confidence, _DIGITS),
            }
            for each in answer.results
        ],
    }


@contextmanager
def _json(file: IO[str], about: Mapping[str, Any]) -> Iterator[Write]:
    """One document: the collection, the encoder version and all products."""
    members = "".join(f"{json.dumps(name)}: {json.dumps(value)}, " for name, value in about.items())
    file.write(f'{{{members}"products": [')
    separator = "\n"

    def write(answer: ExportedAnswer) -> None:
        nonlocal separator
        file.write(separator + json.dumps(_document(answer), ensure_ascii=False))
        separator = ",\n"

    yield write
    file.write("\n]}\n")


@contextmanager
def _ndjson(file: IO[str], about: Mapping[str, Any]) -> Iterator[Write]:
    """One object a line, for each product."""

    def write(answer: ExportedAnswer) -> None:
        file.write(json.dumps({**about, **_document(answer)}, ensure_ascii=False) + "\n")

    yield write


@contextmanager
def _csv(file: IO[str], about: Mapping[str, Any]) -> Iterator[Write]:  # noqa: ARG001
    """One line for each recommendation; a product without any has one with an empty result."""
    table = csv.writer(file)
    table.writerow(("sku", "rank", "result_sku", "score", "confidence"))

    def write(answer: ExportedAnswer) -> None:
        if not answer.results:
            table.writerow((answer.sku, "", "", "", ""))
        for rank, each in enumerate(answer.results, start=1):
            figures = ("" if value is None else f"{value:.{_DIGITS}f}" for value in (each.score, each.confidence))
            table.writerow((answer.sku, rank, each.sku, *figures))

    yield write


@contextmanager
def _shopify_metafields(file: IO[str], about: Mapping[str, Any]) -> Iterator[Write]:  # noqa: ARG001
    """One line for each handle, with related products as a metafield: handles. Of the variants of a handle, the first counts."""
    table = csv.writer(file)
    table.writerow(("Handle", "Command", f"Metafield: {METAFIELD} [list.product_reference]"))
    written: set[str] = set()

    def write(answer: ExportedAnswer) -> None:
        if answer.handle in written:
            return
        written.add(answer.handle)
        handles = dict.fromkeys(each.handle for each in answer.results if each.handle != answer.handle)
        table.writerow((answer.handle, "MERGE", ", ".join(handles)))

    yield write


FORMATS: Mapping[str, Format] = {
    "json": _json,
    "csv": _csv,
    "shopify-metafields": _shopify_metafields,
    "ndjson": _ndjson,
}
