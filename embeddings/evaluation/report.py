"""Writes an evaluation for people to read: a folder with a page that stands alone, and the same in Markdown."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from django.template.loader import render_to_string
from numpy.typing import NDArray
from PIL import Image

from embeddings.errors import EmbeddingsError
from embeddings.evaluation.calibration import Reliability
from embeddings.evaluation.metrics import METRICS, Embeddings, Labels, PerQuery, RetrievalMetrics
from stores.replacing import replaced

PAGE = "report.html"
MAX_BAR_CLASSES = 100
MAX_BAR_ENCODERS = 3
MAX_CONFUSED_CLASSES = 30
MAX_CONFUSIONS = 10
MAX_COLOURS = 20
MAX_POINTS = 2000
TALL = 25
AVERAGE_PRECISION = list(METRICS).index("mean_average_precision")

Photo = Callable[[int], Image.Image]


class DrawingUnavailable(EmbeddingsError):
    """matplotlib is not installed where a report was asked for."""


@dataclass(frozen=True)
class EncoderResult:
    """intervals: (low, high) by the names of METRICS. per_class: by class. Both may be empty."""

    name: str
    metrics: RetrievalMetrics
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    per_class: Mapping[str, RetrievalMetrics] = field(default_factory=dict)


@dataclass(frozen=True)
class LearningPoint:
    """One epoch of a learning curve.

    Attributes:
        number: of the epoch.
        loss: None where it was not measured.
        validation_map: in [0, 1]; None where it was not measured.
        losses: what the loss is the weighted sum of, by name, where it is one.
    """

    number: int
    loss: float | None = None
    validation_map: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Confusion:
    """As `metrics.confusion` returns it: names [c]; shares float64 [c, c], a row for each class of query."""

    names: Sequence[str]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class EmbeddingMap:
    """embeddings: float32 [n, d]. labels: [n]."""

    embeddings: Embeddings
    labels: Labels


@dataclass(frozen=True)
class ResultGrid:
    """The best and the worst query of each class, by average precision, with what they found.

    Attributes:
        per_query: of q queries and g gallery photos.
        query_labels: [q].
        gallery_labels: [g].
        query_photo: the photo of a query's row.
        gallery_photo: the photo of a gallery row.
        rows: at most so many best and so many worst queries.
        neighbours: how many answers are shown of each, at most 10.
    """

    per_query: PerQuery
    query_labels: Labels
    gallery_labels: Labels
    query_photo: Photo
    gallery_photo: Photo
    rows: int = 6
    neighbours: int = 6


@dataclass(frozen=True)
class CalibrationCheck:
    """As `calibration.cross_validated_error` returns it. error: the expected calibration error, in [0, 1]."""

    error: float
    reliability: Reliability


@dataclass(frozen=True)
class EvaluationReport:
    """Everything but the title may be left out. facts: name and value, as they are to be read."""

    title: str
    facts: Mapping[str, object] = field(default_factory=dict)
    encoders: Sequence[EncoderResult] = ()
    learning_curve: Sequence[LearningPoint] = ()
    confusion: Confusion | None = None
    embedding_map: EmbeddingMap | None = None
    result_grid: ResultGrid | None = None
    calibration: CalibrationCheck | None = None


def write_report(report: EvaluationReport, folder: Path) -> Path:
    """Write report.html, report.md and its pictures, all at once, over the report that was there.

    Args:
        report: what to show.
        folder: an earlier report's, an empty one, or one that does not exist.

    Returns:
        Path of the page.

    Raises:
        DrawingUnavailable: matplotlib is not installed.
        ValueError: the folder holds something else than a report.
    """
    pictures = drawing()
    _refuse_other_folders(folder)
    files: dict[str, bytes] = {}
    context = {
        "title": report.title,
        "facts": [{"name": name, "value": str(value)} for name, value in report.facts.items()],
        "results": _results(report.encoders),
        "learning": _learning(pictures, report.learning_curve, files),
        "classes": _classes(pictures, report.encoders, files),
        "confusion": _confusion(pictures, report.confusion, files),
        "map": _map(pictures, report.embedding_map, files),
        "result_grid": _result_grid(pictures, report.result_grid, files),
        "reliability": _reliability(pictures, report.calibration, files),
    }
    files[PAGE] = render_to_string("embeddings/report.html", context).encode()
    files["report.md"] = render_to_string("embeddings/report.md", _markdown(context)).encode()
    with replaced(folder) as made:
        for name, content in files.items():
            (made / name).write_bytes(content)
    return folder / PAGE


def drawing() -> ModuleType:
    """The module that draws, for a caller that wants to know early. Raises DrawingUnavailable without matplotlib."""
    try:
        from embeddings.evaluation import pictures
    except ModuleNotFoundError as error:
        raise DrawingUnavailable(
            "a report's charts are drawn by matplotlib, which is not installed: install the extra `train`"
        ) from error
    return pictures


def _results(encoders: Sequence[EncoderResult]) -> dict[str, Any] | None:
    """A row for each metric, a cell for each encoder."""
    if not encoders:
        return None
    rows = []
    for name, title in METRICS.items():
        values = [getattr(encoder.metrics, name) for encoder in encoders]
        cells = [
            {
                "value": f"{value:.3f}",
                "interval": "{:.3f} to {:.3f}".format(*encoder.intervals[name]) if name in encoder.intervals else "",
                "best": len(encoders) > 1 and value == max(values),
            }
            for encoder, value in zip(encoders, values, strict=True)
        ]
        rows.append({"metric": title, "cells": cells})
    return {
        "encoders": [encoder.name for encoder in encoders],
        "queries": [f"{encoder.metrics.queries:,}" for encoder in encoders],
        "rows": rows,
        "intervals": any(encoder.intervals for encoder in encoders),
    }


def _learning(pictures: ModuleType, epochs: Sequence[LearningPoint], files: dict[str, bytes]) -> dict[str, Any] | None:
    if all(epoch.loss is None and epoch.validation_map is None for epoch in epochs):
        return None
    columns = zip(*((epoch.number, epoch.loss, epoch.validation_map) for epoch in epochs), strict=True)
    losses = {name: [epoch.losses.get(name) for epoch in epochs] for epoch in epochs for name in epoch.losses}
    measured = [epoch for epoch in epochs if epoch.validation_map is not None]
    best = max(measured, key=lambda epoch: epoch.validation_map or 0, default=None)
    return {
        "chart": _added(files, "learning-curve", pictures.learning_curve(*columns, losses)),
        "losses": [{"name": name, "last": f"{epochs[-1].losses[name]:.3f}"} for name in epochs[-1].losses],
        "epochs": str(len(epochs)),
        "best": {"epoch": str(best.number), "score": f"{best.validation_map:.3f}"} if best else None,
    }


def _classes(pictures: ModuleType, encoders: Sequence[EncoderResult], files: dict[str, bytes]) -> dict[str, Any] | None:
    """Bars by class, the first encoder's best above; of very many classes its worst."""
    compared = [encoder for encoder in encoders if encoder.per_class][:MAX_BAR_ENCODERS]
    if not compared:
        return None

    def score(encoder: EncoderResult, name: str) -> float:
        metrics = encoder.per_class.get(name)
        return math.nan if metrics is None else metrics.mean_average_precision

    every = sorted(
        {name for encoder in compared for name in encoder.per_class},
        key=lambda name: (-np.nan_to_num(score(compared[0], name)), name),
    )
    names = every[-MAX_BAR_CLASSES:]
    shown = _leaves(every)
    series = [(encoder.name, [score(encoder, name) for name in names]) for encoder in compared]
    rows = [
        {
            "name": shown[name],
            "queries": f"{max(encoder.per_class[name].queries for encoder in compared if name in encoder.per_class):,}",
            "bars": [
                {"value": "" if math.isnan(values[place]) else f"{values[place]:.3f}", "width": _percent(values[place])}
                for _, values in series
            ],
        }
        for place, name in enumerate(names)
    ]
    files["classes.png"] = pictures.bars([shown[name] for name in names], series)
    return {
        "file": "classes.png",
        "encoders": [name for name, _ in series],
        "rows": rows,
        "of": f"{len(every):,}" if len(every) > len(names) else "",
        "shown": f"{len(names):,}",
        "tall": len(names) > TALL,
    }


def _confusion(pictures: ModuleType, found: Confusion | None, files: dict[str, bytes]) -> dict[str, Any] | None:
    """The matrix of the classes that are confused most, and the commonest confusions of all."""
    if found is None or not len(found.names):
        return None
    wrong = found.shares * (1 - np.eye(len(found.names)))
    worst = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MAX_CONFUSED_CLASSES]
    shown = np.sort(worst)
    leaves = list(_leaves(found.names).values())
    names, shares = [leaves[place] for place in shown], found.shares[np.ix_(shown, shown)]
    rows = [
        {
            "name": name,
            "cells": [
                {
                    "share": f"{share:.2f}",
                    "percent": f"{100 * share:.0f}" if share >= 0.005 else "",
                    "strong": share > 0.55,
                }
                for share in row
            ],
        }
        for name, row in zip(names, shares, strict=True)
    ]
    commonest = [divmod(int(place), len(wrong)) for place in np.argsort(-wrong, axis=None, kind="stable")]
    files["confusion.png"] = pictures.confusion_matrix(names, shares)
    return {
        "file": "confusion.png",
        "names": names,
        "rows": rows,
        "of": f"{len(found.names):,}" if len(found.names) > len(names) else "",
        "shown": f"{len(names):,}",
        "commonest": [
            {"query": leaves[row], "nearest": leaves[column], "percent": f"{100 * wrong[row, column]:.0f}%"}
            for row, column in commonest[:MAX_CONFUSIONS]
            if wrong[row, column] > 0
        ],
    }


def _map(pictures: ModuleType, shown: EmbeddingMap | None, files: dict[str, bytes]) -> dict[str, Any] | None:
    """The photos on a plane; the largest classes in colour."""
    if shown is None or len(shown.labels) < 2:
        return None
    chosen = np.sort(np.random.default_rng(0).permutation(len(shown.labels))[:MAX_POINTS])
    labels = shown.labels[chosen]
    points, variance = pictures.principal_components(shown.embeddings[chosen])
    counts = Counter(labels.tolist())
    coloured = sorted(sorted(counts, key=lambda name: (-counts[name], name))[:MAX_COLOURS])
    colours = pictures.class_colours(len(coloured))
    places, leaves = {name: place for place, name in enumerate(coloured)}, _leaves(counts)
    classes = np.asarray([places.get(label, -1) for label in labels.tolist()])
    return {
        "chart": _added(files, "map", pictures.scatter(points, classes, colours)),
        "legend": [
            {"number": str(place + 1), "name": leaves[name], "colour": colours[place]}
            for place, name in enumerate(coloured)
        ],
        "others": f"{len(counts) - len(coloured):,}" if len(counts) > len(coloured) else "",
        "photos": f"{len(chosen):,}",
        "of": f"{len(shown.labels):,}",
        "variance": f"{variance:.0%}",
    }


def _result_grid(pictures: ModuleType, grid: ResultGrid | None, files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Two lists of queries: the best of each class, best first, and the worst of each, worst first."""
    if grid is None or not grid.per_query.counted.any():
        return []
    scores = grid.per_query.values[:, AVERAGE_PRECISION]
    ascending = [int(query) for query in np.argsort(scores, kind="stable") if grid.per_query.counted[query]]
    descending = sorted(ascending, key=lambda query: (-scores[query], query))
    leaves = _leaves({*grid.query_labels.tolist(), *grid.gallery_labels.tolist()})
    parts = []
    for key, title, order in (("best", "Best queries", descending), ("worst", "Worst queries", ascending)):
        firsts: dict[str, int] = {}
        for query in order:
            firsts.setdefault(str(grid.query_labels[query]), query)
        rows = [
            _grid_row(pictures, grid, query, leaves, f"{key}-{number}.jpg", files)
            for number, query in enumerate(list(firsts.values())[: grid.rows], start=1)
        ]
        parts.append({"title": title, "rows": rows})
    return parts


def _grid_row(
    pictures: ModuleType, grid: ResultGrid, query: int, leaves: Mapping[str, str], file: str, files: dict[str, bytes]
) -> dict[str, Any]:
    label = str(grid.query_labels[query])
    found = [int(row) for row in grid.per_query.nearest[query, : grid.neighbours] if row >= 0]
    photo = pictures.thumbnail(grid.query_photo(query))
    answers = [pictures.thumbnail(grid.gallery_photo(row)) for row in found]
    names = [str(grid.gallery_labels[row]) for row in found]
    files[file] = pictures.strip(photo, [(answer, name == label) for answer, name in zip(answers, names, strict=True)])
    return {
        "label": leaves[label],
        "score": f"{grid.per_query.values[query, AVERAGE_PRECISION]:.3f}",
        "uri": _uri(pictures.jpeg(photo), "jpeg"),
        "file": file,
        "answers": [
            {"label": leaves[name], "right": name == label, "uri": _uri(pictures.jpeg(answer), "jpeg")}
            for answer, name in zip(answers, names, strict=True)
        ],
    }


def _reliability(
    pictures: ModuleType, check: CalibrationCheck | None, files: dict[str, bytes]
) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "chart": _added(files, "reliability", pictures.reliability_diagram(check.reliability)),
        "error": f"{check.error:.4f}",
        "pairs": f"{sum(check.reliability.counts):,}",
    }


def _leaves(names: Iterable[str]) -> dict[str, str]:
    """Each name's last part, "Pear" of "Fruit/Pear", where no other name ends in it."""
    ends = {name: name.rsplit("/", 1)[-1] for name in names}
    times = Counter(ends.values())
    return {name: end if times[end] == 1 else name for name, end in ends.items()}


def _added(files: dict[str, bytes], name: str, chart: Any) -> dict[str, str]:
    """The chart as the page embeds it, and as the file beside the Markdown."""
    files[f"{name}.png"] = chart.png
    return {"file": f"{name}.png", "uri": _uri(chart.svg, "svg+xml")}


def _uri(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _percent(share: float) -> str:
    return "0" if math.isnan(share) else f"{100 * share:.1f}"


def _markdown(value: Any) -> Any:
    """The same structure with every string escaped, so that no name is read as Markdown or HTML."""
    if isinstance(value, str):
        plain = re.sub(r"\s+", " ", value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return re.sub(r"([\\`*_\[\]|#~$])", r"\\\1", plain)
    if isinstance(value, dict):
        return {key: _markdown(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_markdown(entry) for entry in value]
    return value


def _refuse_other_folders(folder: Path) -> None:
    """A report replaces its folder, so the folder must be a report's, empty or not there."""
    if folder.exists() and not (folder.is_dir() and ((folder / PAGE).is_file() or not any(folder.iterdir()))):
        raise ValueError(f"{folder} holds something else than a report: name a new folder")
