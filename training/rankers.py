"""Trains the rankers of a collection on judged queries, measures them on queries kept aside, and registers them as versions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embeddings import versions
from embeddings.errors import InvalidJudgements
from embeddings.models import Collection, RankerVersion
from embeddings.ranker_versions import DIFFERENCE, register_ranker
from embeddings.ranking.candidates import JudgedQuery
from embeddings.ranking.files import BOOSTED, DEEPRANK, WORDS, open_ranker
from embeddings.ranking.quality import Mean, figures, mean_of
from embeddings.ranking.trees import write_trees
from embeddings.ranking.words import WordTable
from jobs.progress import ProgressCallback
from training import boosted, deeprank
from training.word_vectors import word_table

# Judged queries in which something can be put in a better order.
MIN_QUERIES = 20
KEPT_ASIDE = 0.3
# Of the text order, in reports.
TEXT_ORDER = "text order"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a ranker is trained on: judged queries, titles, word vectors, and the seed of random numbers."""

    queries: Sequence[JudgedQuery]
    titles: Sequence[JudgedQuery]
    table: WordTable
    seed: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An order on the queries kept aside. difference: from the text order; None for that one itself."""

    name: str
    ndcg: Mean
    difference: Mean | None = None


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a training.

    Attributes:
        trained_on: queries that rankers were trained on.
        kept_aside: queries that they were measured on.
        measured: the text order, and each ranker.
        versions: that were registered, in the order of `measured`.
    """

    trained_on: int
    kept_aside: int
    measured: Sequence[Measured]
    versions: Sequence[RankerVersion]

    @property
    def best(self) -> RankerVersion | None:
        """The version with the highest nDCG@10, if that is higher than the text order's."""
        best = max(self.versions, key=lambda version: _difference(version)["mean"])
        return best if _difference(best)["mean"] > 0 else None

    @property
    def is_certain(self) -> bool:
        """Whether the advantage of the best is larger than its 95% confidence interval."""
        return self.best is not None and _difference(self.best)["low"] > 0

    @property
    def verdict(self) -> str:
        """Which is better, in words."""
        if self.best is None:
            return "no ranker is better than the text order"
        name = self.best.get_kind_display()
        if self.is_certain:
            return f"{name} is the best, and better than the text order"
        return f"{name} is the best, but its advantage over the text order may be chance: judge more queries"


def train_rankers(
    collection: Collection,
    queries: Sequence[JudgedQuery],
    titles: Sequence[JudgedQuery],
    kinds: Sequence[str],
    on_progress: ProgressCallback,
    *,
    seed: int = 0,
) -> TrainingReport:
    """Train rankers, measure them, and register each as a version. None is active until it is activated.

    Args:
        collection: of the versions.
        queries: with judgements.
        titles: from `title_queries`, for DeepRank to begin with.
        kinds: values of `RankerVersion.Kind`.
        on_progress: called with the stages "word vectors", "boosted trees", "measuring" and those of `train_network`.
        seed: of the split and of the training.

    Returns:
        What came of it.

    Raises:
        InvalidJudgements: there are too few queries.
    """
    usable = [query for query in queries if len({*query.grades.tolist()}) > 1]
    if len(usable) < MIN_QUERIES:
        raise InvalidJudgements(
            f"of {len(queries)} judged queries, {len(usable)} find both better and worse products: it takes {MIN_QUERIES} of them"
        )
    trained_on, kept_aside = split(queries, seed)
    on_progress("word vectors", 0, 1)
    table = word_table()
    on_progress("word vectors", 1, 1)
    text_order = figures(None, kept_aside)
    measured, registered = [Measured(TEXT_ORDER, mean_of(text_order))], []
    for kind in kinds:
        folder = versions.create_staging_folder()
        try:
            recipe = TRAINERS[kind](Lesson(trained_on, titles, table, seed), folder, on_progress)
            table.save(folder / WORDS)
            ranked = figures(open_ranker(folder, kind), kept_aside, on_progress)
            own = Measured(str(RankerVersion.Kind(kind).label), mean_of(ranked), mean_of(ranked - text_order))
            measured.append(own)
            registered.append(
                register_ranker(
                    collection,
                    folder,
                    kind,
                    recipe={**recipe, "seed": seed},
                    data={"trained_on": len(trained_on), "kept_aside": len(kept_aside)},
                    metrics=_metrics(measured[0], own),
                )
            )
        finally:
            versions.delete_staging_folder(folder)
    return TrainingReport(len(trained_on), len(kept_aside), measured, registered)


def split(queries: Sequence[JudgedQuery], seed: int) -> tuple[list[JudgedQuery], list[JudgedQuery]]:
    """Queries to train on, and KEPT_ASIDE of them to measure with. The same for the same queries and seed."""
    order = sorted(queries, key=lambda query: query.text)
    random.Random(seed).shuffle(order)
    aside = round(KEPT_ASIDE * len(order))
    return order[aside:], order[:aside]


def _train_boosted(lesson: Lesson, folder: Path, on_progress: ProgressCallback) -> Mapping[str, Any]:
    on_progress("boosted trees", 0, 1)
    write_trees(folder, boosted.train_trees(lesson.queries, lesson.table, lesson.seed))
    on_progress("boosted trees", 1, 1)
    return {**boosted.RECIPE, "rounds": boosted.ROUNDS}


def _train_deeprank(lesson: Lesson, folder: Path, on_progress: ProgressCallback) -> Mapping[str, Any]:
    network = deeprank.train_network(lesson.queries, lesson.titles, lesson.table, lesson.seed, on_progress)
    deeprank.write_network(network, folder)
    phases = {"on_titles": deeprank.ON_TITLES, "on_judgements": deeprank.ON_JUDGEMENTS}
    return {
        "titles": len(lesson.titles),
        "margin": deeprank.MARGIN,
        **{name: asdict(each) for name, each in phases.items()},
    }


Trainer = Callable[[Lesson, Path, ProgressCallback], Mapping[str, Any]]
TRAINERS: Mapping[str, Trainer] = {BOOSTED: _train_boosted, DEEPRANK: _train_deeprank}


def _metrics(text_order: Measured, own: Measured) -> dict[str, Any]:
    difference = None if own.difference is None else asdict(own.difference)
    return {"ndcg": asdict(own.ndcg), "text_order": asdict(text_order.ndcg), DIFFERENCE: difference}


def _difference(version: RankerVersion) -> Mapping[str, float]:
    difference: Mapping[str, float] = version.metrics[DIFFERENCE]
    return difference
