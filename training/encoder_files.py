"""Turns a trained network into an encoder's files: LiteRT model, SavedModel, manifest, model card and evaluation report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.template.loader import render_to_string
from numpy.typing import NDArray

from embeddings.calibration import Calibration
from embeddings.encoders.base import Encoder
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.preprocessing import to_input
from embeddings.errors import UnusablePhotos
from embeddings.evaluation.calibration import fit_calibration, pairs
from embeddings.evaluation.finds import category_finds
from embeddings.evaluation.photos import EmbeddedPhotos, embed_photos
from embeddings.evaluation.protocols import EvaluationResult, calibration_check, evaluate, report_on
from embeddings.evaluation.report import CalibrationCheck, LearningPoint, write_report
from embeddings.versions import REPORT
from jobs.progress import ProgressCallback
from training.config import INT8, TrainingConfig
from training.errors import TrainingFailed
from training.export import export_litert, export_saved_model, write_atomically
from training.trainer import EpochRecord
from training.training_data import TrainingData

MODEL, SAVED_MODEL, MANIFEST, CARD = "model.tflite", "saved_model", "manifest.json", "MODEL_CARD.md"

_PHOTOS_COMPARED = 16
_SAME_EMBEDDING = 0.99
# In int8, the mean over the photos. What it costs shows in the figures of the version, which are those of the int8 model.
_SIMILAR_EMBEDDING = 0.9
_PHOTOS_FOR_RANGES = 200


@dataclass(frozen=True)
class Embedded:
    """Both halves of the photos, embedded by one encoder, with the encoder's name and fingerprint."""

    name: str
    fingerprint: str
    train: EmbeddedPhotos
    validation: EmbeddedPhotos


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, before it is a file.

    Attributes:
        name: what the figures call it.
        forward: float32 [B, s, s, 3] in [0, 1] -> float32 [B, dim], L2-normalised.
        input_size: s, in pixels.
        variables: all that `forward` reads.
        holder: what else it reads from, such as tables.
        curve: the learning curve.
        recipe: what it was trained with, plain JSON.
        embedded: photos to train on and to validate with as the network embeds them; None leaves that to the exported model.
        raw: the same photos by the backbone that it was trained on top of.
        figures: more figures, by name.
    """

    name: str
    forward: Callable[[Any], Any]
    input_size: int
    variables: Sequence[Any]
    holder: Any
    curve: Sequence[EpochRecord]
    recipe: Mapping[str, Any]
    embedded: tuple[EmbeddedPhotos, EmbeddedPhotos] | None
    raw: Embedded | None
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class TrainedEncoder:
    """The files of a trained encoder, and what a version keeps of its training.

    Attributes:
        fingerprint: SHA-256 of the model file, hexadecimal.
        dim: embedding dimension.
        recipe: what it was trained with.
        data: summary of the photos.
        metrics: learning curve and evaluation, plain JSON.
        calibration: curves of confidence by what they are of; None without any.
        results: evaluation of this encoder, then of others on the same photos.
        problems: what was found wrong, each in a sentence.
        figures: more figures, by name.
    """

    fingerprint: str
    dim: int
    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    calibration: Mapping[str, Any] | None
    results: Sequence[EvaluationResult]
    problems: Sequence[str]
    figures: Mapping[str, Any]


def write_encoder(
    network: TrainedNetwork,
    data: TrainingData,
    config: TrainingConfig,
    folder: Path,
    *,
    beside: Sequence[tuple[str, Encoder]],
    on_progress: ProgressCallback,
) -> TrainedEncoder:
    """Export the network, evaluate and calibrate it, and write its files.

    Args:
        network: what was trained.
        data: the photos that it was trained and validated with.
        config: its by_product and precision are read.
        folder: where the files go.
        beside: encoders to evaluate on the same photos, by name.
        on_progress: called at each stage.

    Returns:
        What the version keeps.

    Raises:
        TrainingFailed: the exported model answers otherwise than the network, or int8 loses too much of this one.
        UnusablePhotos: the validation photos cannot be evaluated.
    """
    on_progress("export", 0, 0)
    encoder = _export(network, data, config.precision, folder)
    _refuse_other_answers(network, encoder, config.precision)
    on_progress("evaluation", 0, 0)
    results = _evaluate(network, encoder, data, config, beside)
    check, calibration, uncalibrated = _calibrate(results[0].queries, by_product=config.by_product)
    metrics = {
        "curve": [asdict(record) for record in network.curve],
        "outcomes": [result.figures() for result in results],
        "expected_calibration_error": None if check is None else check.error,
        "finds": _finds(results, by_product=config.by_product) if beside else None,
        **network.figures,
    }
    trained = TrainedEncoder(
        encoder.fingerprint, encoder.dim, network.recipe, data.manifest.summary(), metrics, calibration, results,
        [*data.manifest.problems, *uncalibrated], network.figures,
    )  # fmt: skip
    on_progress("report", 0, 0)
    _write_documents(trained, network, data, check, folder)
    return trained


def _export(network: TrainedNetwork, data: TrainingData, precision: str, folder: Path) -> LiteRTEncoder:
    size, variables = network.input_size, network.variables
    photos = None
    if precision == INT8:
        step = max(1, len(data.train) // _PHOTOS_FOR_RANGES)
        photos = (to_input(photo.image(at_least=size), size) for photo in data.train[::step][:_PHOTOS_FOR_RANGES])
    model = export_litert(network.forward, size, variables, half_precision_weights=True, photos=photos)
    write_atomically(folder / MODEL, model)
    export_saved_model(network.forward, size, variables, folder / SAVED_MODEL, beside=network.holder)
    return LiteRTEncoder(folder / MODEL, threads=1)


def _refuse_other_answers(network: TrainedNetwork, encoder: LiteRTEncoder, precision: str) -> None:
    """A converter that leaves something out says nothing of it."""
    if network.embedded is None:
        return
    _, validation = network.embedded
    cosines = [
        float(encoder.encode([photo.image(at_least=encoder.input_size)])[0] @ wanted)
        for photo, wanted in zip(validation.photos[:_PHOTOS_COMPARED], validation.embeddings, strict=False)
    ]
    if precision == INT8:
        if np.mean(cosines) < _SIMILAR_EMBEDDING:
            raise TrainingFailed(
                f"int8 loses too much of this network (mean cosine {np.mean(cosines):.3f} to its float embeddings): train again"
                " with the precision float16; the features are kept, so that it takes a fraction of the time"
            )
    elif min(cosines) < _SAME_EMBEDDING:
        raise TrainingFailed(
            f"the exported model answers otherwise than the trained one (cosine {min(cosines):.3f}):"
            " this network cannot be exported to LiteRT"
        )


def _evaluate(
    network: TrainedNetwork,
    encoder: LiteRTEncoder,
    data: TrainingData,
    config: TrainingConfig,
    beside: Sequence[tuple[str, Encoder]],
) -> list[EvaluationResult]:
    photos = (data.train, data.validation)
    if network.embedded is not None:
        photos = (network.embedded[0].photos, network.embedded[1].photos)

    def by(name: str, other: Encoder) -> Embedded:
        return Embedded(name, other.fingerprint, *(embed_photos(other, part, name) for part in photos))

    own = network.embedded
    embedded = [
        by(network.name, encoder) if own is None else Embedded(network.name, encoder.fingerprint, *own),
        *([] if network.raw is None else [network.raw]),
        *(by(name, other) for name, other in beside),
    ]
    try:
        # By product, each photo asks for others of its product among photos that were not trained on.
        return [
            evaluate(each.name, each.fingerprint, each.validation, each.validation if config.by_product else each.train)
            for each in embedded
        ]
    except ValueError as error:
        raise UnusablePhotos(f"the validation photos cannot be evaluated: {error}") from error


def _finds(results: Sequence[EvaluationResult], *, by_product: bool) -> list[dict[str, Any]] | None:
    """What the first and the last encoder find of each category, if they were asked for the same photos."""
    own, other = results[0], results[-1]
    if by_product or [photo.name for photo in own.queries.photos] != [photo.name for photo in other.queries.photos]:
        return None
    return [asdict(each) for each in category_finds(own.queries.labels, other.per_query, own.per_query)]


def _calibrate(
    embedded: EmbeddedPhotos, *, by_product: bool
) -> tuple[CalibrationCheck | None, dict[str, Any] | None, list[str]]:
    """Of the same kind, and, where products are known, of the same product."""
    missing: list[str] = []
    check: CalibrationCheck | None = None
    fitted: dict[str, Calibration] = {}
    for name, labels, groups in (
        ("product", embedded.labels, None) if by_product else ("kind", embedded.labels, embedded.products),
        *([("product", embedded.products, None)] if not by_product and _has_pairs(embedded.products) else []),
    ):
        try:
            fitted[name] = fit_calibration(*pairs(embedded.embeddings, labels, groups=groups))
            if check is None:
                check = calibration_check(embedded)
        except ValueError as error:
            missing.append(f"no confidence for the same {name}: {error}")
    return check, {name: each.as_dict() for name, each in fitted.items()} or None, missing


def _has_pairs(products: NDArray[np.str_]) -> bool:
    known = products[products != ""]
    return len(np.unique(known)) < len(known)


def _write_documents(
    trained: TrainedEncoder,
    network: TrainedNetwork,
    data: TrainingData,
    check: CalibrationCheck | None,
    folder: Path,
) -> None:
    manifest = json.dumps(data.manifest.as_dict(), indent=1, ensure_ascii=False)
    write_atomically(folder / MANIFEST, manifest.encode() + b"\n")
    facts = {
        "fingerprint": trained.fingerprint,
        "photos to train on": len(data.train),
        "photos to validate with": len(data.validation),
        "classes": len(data.classes),
        **{name: value for name, value in trained.recipe.items() if value is not None},
    }
    context = {"made": trained, "facts": facts, "title": data.manifest.title, "input_size": network.input_size}
    write_atomically(folder / CARD, render_to_string("training/model_card.md", context).encode())
    report = report_on(
        f"An encoder trained on {data.manifest.title}",
        trained.results,
        facts=facts,
        learning_curve=[
            LearningPoint(record.number, record.loss, record.score, record.losses) for record in network.curve
        ],
        calibration=check,
    )
    write_report(report, folder / REPORT)
