"""Writes every product's recommendations into a file, and computes only those that may have changed since the last time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from catalog.errors import ProductNotFound
from catalog.models import Product
from embeddings.errors import IndexUnavailable
from embeddings.selectors import LiveCollection, live_collection
from jobs.progress import ProgressCallback, StageProgress
from recommender.export.answers import ExportedAnswer, ExportedResult, StateFile, write_answer, write_header
from recommender.export.changes import Changes, Exportable, exportable_products, find_changes
from recommender.export.formats import FORMATS
from recommender.pipeline import similar_to
from recommender.queries import SimilarQuery
from recommender.rules.book import rule_book

# Raised when the same options would give other answers, so that the next export computes all.
_VERSION = 1
STATE_SUFFIX = ".state"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported.

    Attributes:
        query: what is recommended for each product.
        format: a key of FORMATS.
        whole: compute every answer, whatever the last export has.
        changed_only: write only answers that are new or differ from those of the last export.
    """

    query: SimilarQuery
    format: str
    whole: bool = False
    changed_only: bool = False


@dataclass(slots=True)
class ExportReport:
    """What an export did.

    Attributes:
        products: how many have an answer.
        computed: of those, how many were computed now.
        different: of those, how many are new or differ from the last export.
        written: how many are in the file.
    """

    products: int = 0
    computed: int = 0
    different: int = 0
    written: int = 0


def export_similar(path: Path, options: ExportOptions, on_progress: ProgressCallback | None = None) -> ExportReport:
    """Write the recommendations of every visible product of a collection.

    The file is complete or unchanged: it is written beside its place and renamed at the end, and so is the state of the export
    (`<file>.state`), from which the next export with the same options takes the answers that cannot have changed. Interrupted
    anywhere, the next one computes at most too much.

    Args:
        path: of the file.
        options: what is exported.
        on_progress: called with the stage "recommending", by products.

    Returns:
        Counts.

    Raises:
        UnknownCollection: there is no such collection.
        UnknownRuleSet: the query names a rule set that does not exist.
        IndexUnavailable: the vector index does not respond.
        OSError: the file cannot be written.
    """
    live = live_collection(options.query.collection)
    # Rules move products, pin them and fill answers up: what is near says no more which answers may have changed.
    has_rules = rule_book(live.slug, options.query.rule_set) is not None
    header = {**_header(live, options.query), "rules": has_rules}
    state = StateFile(path.with_name(path.name + STATE_SUFFIX))
    known = state.is_of(header)
    # MMR chooses among more products than it returns: any of them may change an answer.
    may_copy = known and not options.whole and not options.query.diversity and not has_rules
    changes = find_changes(live, state, live.weights_of(options.query.weights)) if may_copy else None
    former = _Former(state.answers() if known else iter(()))
    report = ExportReport()
    progress = StageProgress(on_progress, "recommending", Product.objects.visible().count() if on_progress else 0)
    with _Replacement(path) as output, _Replacement(state.path) as kept:
        write_header(kept.file, header)
        with FORMATS[options.format](output.file, {"collection": live.slug, "encoder": live.label}) as write:
            for products in exportable_products(live):
                before = former.until(products[-1].id)
                for answer in _answers(products, before, changes, options.query, live):
                    last = before.get(answer.id)
                    differs = last is None or _shown(last) != _shown(answer)
                    report.products += 1
                    report.computed += answer is not last
                    report.different += differs
                    write_answer(kept.file, answer)
                    if differs or not options.changed_only:
                        report.written += 1
                        write(answer)
                progress.advance(len(products))
        # In this order: without its state, the next export computes everything.
        output.replace()
        kept.replace()
    return report


def _header(live: LiveCollection, query: SimilarQuery) -> dict[str, Any]:
    """What the answers of an export depend on, beside the catalogue."""
    asked = {each.name: getattr(query, each.name) for each in fields(query) if each.name not in ("filter", "weights")}
    asked["weights"] = str(live.weights_of(query.weights))
    conditions = {condition.name: repr(value) for condition, value in query.filter.conditions()}
    return {"version": _VERSION, "encoder": live.label, "distance": live.index.distance.value, **asked, **conditions}


def _floor(live: LiveCollection, query: SimilarQuery, shown: float) -> float:
    """A score in the form of the index."""
    return live.index.distance.score_of(live.layout.score_of(shown, live.weights_of(query.weights)))


def _answers(
    products: Sequence[Exportable],
    before: Mapping[int, ExportedAnswer],
    changes: Changes | None,
    query: SimilarQuery,
    live: LiveCollection,
) -> Iterator[ExportedAnswer]:
    """The answers of a batch; those of the last export (`before`) where they cannot have changed."""
    differ = changes.may_differ(list(before.values())) if changes else before.keys()
    for product in products:
        if product.id in before and product.id not in differ:
            yield before[product.id]
        elif (answer := _computed(product, query, live)) is not None:
            yield answer


def _computed(product: Exportable, query: SimilarQuery, live: LiveCollection) -> ExportedAnswer | None:
    """The answer as it is now; None if the product was withdrawn meanwhile."""
    try:
        recommended = similar_to(product.id, query)
    except ProductNotFound:
        return None
    if recommended.encoder != live.label:
        raise IndexUnavailable(f"{recommended.encoder} became the active version during the export: run it again")
    results = recommended.results
    handles = dict(
        Product.objects.filter(pk__in=[each.product.id for each in results]).values_list("pk", "family_code")
    )
    last = results[-1].score if len(results) == query.limit else None
    return ExportedAnswer(
        id=product.id,
        sku=product.sku,
        handle=product.handle,
        signature=product.signature,
        fallback=recommended.fallback,
        floor=None if last is None else _floor(live, query, last),
        results=tuple(
            ExportedResult(
                each.product.id, each.product.sku, handles.get(each.product.id) or each.product.slug, each.score,
                each.confidence,
            )
            for each in results
        ),
    )  # fmt: skip


def _shown(answer: ExportedAnswer) -> tuple[object, ...]:
    """What a file shows of an answer; a score that differs in the noise is the same."""
    results = [(each.id, each.sku, each.handle, each.score and round(each.score, 4)) for each in answer.results]
    return (answer.sku, answer.handle, results)


class _Former:
    """The answers of the last export, read along with the catalogue."""

    def __init__(self, answers: Iterator[ExportedAnswer]) -> None:
        self._answers = answers
        self._next = next(answers, None)

    def until(self, product_id: int) -> dict[int, ExportedAnswer]:
        """The answers up to this product that were not read yet, by product."""
        taken: dict[int, ExportedAnswer] = {}
        while self._next is not None and self._next.id <= product_id:
            taken[self._next.id] = self._next
            self._next = next(self._answers, None)
        return taken


class _Replacement:
    """A file that is written beside the one that it replaces at the end, and deleted if that does not happen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> Self:
        self.file = self._temporary.open("w", encoding="utf-8", newline="")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._temporary.unlink(missing_ok=True)

    def replace(self) -> None:
        """Put the file in its place, once it is on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self._temporary.replace(self._path)
