"""The flow of a training: look at the photos, compute features once, train a head, export, judge, calibrate, write it all down."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from django.template.loader import render_to_string
from numpy.typing import NDArray

from embeddings.calibration import Calibration
from embeddings.dataset import (
    Inspection,
    LabelledPhoto,
    Manifest,
    PhotoSet,
    inspect,
    manifest_rows,
    photos_in_both,
    split,
)
from embeddings.encoders.base import Encoder
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.errors import TrainingFailed, UnusablePhotos
from embeddings.evaluation.calibration import fit_calibration, pairs
from embeddings.evaluation.metrics import labels_of, retrieval_metrics
from embeddings.evaluation.photos import EmbeddedPhotos, embed_photos
from embeddings.evaluation.protocols import Outcome, calibration_check, judge, report_on
from embeddings.evaluation.report import CalibrationCheck, write_report
from embeddings.evaluation.report import Epoch as ReportedEpoch
from embeddings.training.backbones import Backbone, frozen_encoder, load_backbone
from embeddings.training.export import export_litert, export_saved_model, write_atomically
from embeddings.training.features import view_features
from embeddings.training.heads import Embed, Epoch, HeadOptions, TrainedHead, embed_with, train_head
from embeddings.training.unfreezing import UnfreezeOptions, train_unfrozen
from embeddings.versions import BACKBONES, REPORT
from jobs.progress import ProgressCallback, StageProgress

MODEL, SAVED_MODEL, MANIFEST, CARD = "model.tflite", "saved_model", "manifest.json", "MODEL_CARD.md"

# Of a larger gallery the validation after each epoch sees a sample; the figures at the end are of all of it.
_GALLERY_SEEN = 10_000
_PHOTOS_COMPARED = 16
_SAME_EMBEDDING = 0.99


@dataclass(frozen=True)
class Plan:
    """What to train with, and how.

    validation: photos of their own to validate with; None holds out `fraction` of the others. by_product: each product is a class
    of its own, and validation asks for other photos of the same product. beside: encoders to be judged by the same photos.
    backbone, weights, input_size: see `load_backbone`. views: of each photo that features are computed of.
    """

    photos: PhotoSet
    validation: PhotoSet | None = None
    by_product: bool = False
    fraction: float = 0.15
    backbone: str = "bundled"
    weights: Path | None = None
    input_size: int | None = None
    views: int = 10
    head: HeadOptions = field(default_factory=HeadOptions)
    unfreeze: UnfreezeOptions | None = None
    beside: Sequence[tuple[str, Encoder]] = ()


@dataclass(frozen=True)
class FineTuned:
    """What a training made: the files in `folder`, and what a version says of them."""

    folder: Path
    fingerprint: str
    dim: int
    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    calibration: Mapping[str, Any] | None
    outcomes: Sequence[Outcome]
    problems: Sequence[str]


def fine_tune(plan: Plan, *, folder: Path, root: Path, cache: Path, tell: ProgressCallback) -> FineTuned:
    """Train an encoder and write it with its manifest, card and report into `folder`.

    root: where backbones are kept. cache: where features and checkpoints are kept, so that an interrupted training goes on.
    Raises UnusablePhotos, BackboneUnavailable, TrainingFailed, and ValueError for options that do not fit together.
    """
    data = _divide(plan, tell)
    tell("backbone", 0, 0)
    backbone = load_backbone(plan.backbone, weights=plan.weights, input_size=plan.input_size, cache=cache)
    frozen = frozen_encoder(backbone, root / BACKBONES)
    _refuse_too_much(len(data.train), backbone.features)
    try:
        return _Training(plan, data, backbone, frozen, folder, cache, tell).run()
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise TrainingFailed(
            "the memory does not suffice: take fewer views or photos, a smaller batch or hidden layer"
        ) from error


@dataclass(frozen=True)
class _Data:
    """Photos with hashes, divided; classes: names of the labels, in the order of their numbers."""

    train: Sequence[LabelledPhoto]
    train_hashes: Sequence[str]
    validation: Sequence[LabelledPhoto]
    validation_hashes: Sequence[str]
    classes: Sequence[str]
    manifest: Manifest

    def numbers(self) -> NDArray[np.int64]:
        """Int [n]: the class of each photo to train on."""
        number_of = {name: number for number, name in enumerate(self.classes)}
        return np.array([number_of[photo.label] for photo in self.train], dtype=np.int64)


def _divide(plan: Plan, tell: ProgressCallback) -> _Data:
    look = _inspected(_known(plan.photos, plan), "photos", tell)
    problems = look.problems()
    if plan.validation is not None:
        other = _inspected(_known(plan.validation, plan), "validation photos", tell)
        problems += [f"validation: {problem}" for problem in other.problems()]
        if common := photos_in_both(other, look):
            problems.append(
                f"{common} validation photos are among the photos to train on, or next to identical: the figures flatter"
            )
        train, validation = [*range(len(look.photos))], [*range(len(other.photos))]
    else:
        other = look
        parts = split(look, fraction=plan.fraction, seed=plan.head.seed)
        train, validation = parts.train.tolist(), parts.validation.tolist()
    rows = [*manifest_rows(look, train, "train"), *manifest_rows(other, validation, "validation")]
    data = _Data(
        _labelled([look.photos[number] for number in train], plan),
        [look.hashes[number] for number in train],
        _labelled([other.photos[number] for number in validation], plan),
        [other.hashes[number] for number in validation],
        (),
        Manifest(plan.photos.title, rows, problems),
    )
    classes = sorted({photo.label for photo in data.train})
    if len(classes) < 2:
        raise UnusablePhotos(
            f"{plan.photos.title} has photos of {len(classes)} class to train on: at least two are told apart"
        )
    return replace(data, classes=classes)


def _known(photo_set: PhotoSet, plan: Plan) -> PhotoSet:
    """The photos of which it is known what they are to be told apart by."""
    return photo_set.with_products() if plan.by_product else photo_set.of_classes()


def _inspected(photo_set: PhotoSet, stage: str, tell: ProgressCallback) -> Inspection:
    total = len(photo_set.photos)
    look = inspect(photo_set, StageProgress(tell, stage, total))
    if not look.photos:
        first = f"; the first: {look.unreadable[0][1]}" if look.unreadable else ""
        raise UnusablePhotos(f"none of the {total} photos of {photo_set.title} can be read{first}")
    return look


def _labelled(photos: Sequence[LabelledPhoto], plan: Plan) -> list[LabelledPhoto]:
    return [replace(photo, label=photo.product) for photo in photos] if plan.by_product else list(photos)


def _refuse_too_much(photos: int, features: int) -> None:
    """The features of one view of all photos are held in memory twice: as they are, and embedded."""
    needed = 2 * 4 * photos * features
    available = _available_bytes()
    if needed > available:
        raise TrainingFailed(
            f"{photos:,} photos with {features} features need {needed / 1e9:.1f} GB of memory,"
            f" and {available / 1e9:.1f} GB are free: train on fewer photos, or on a larger machine"
        )


def _available_bytes() -> int:
    """Memory that can be had, that of the file cache included where the system says how much that is."""
    told = Path("/proc/meminfo")
    if told.is_file():
        for line in told.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class _Training:
    """One run through the flow, with what the steps hand on to each other."""

    def __init__(
        self,
        plan: Plan,
        data: _Data,
        backbone: Backbone,
        frozen: LiteRTEncoder,
        folder: Path,
        cache: Path,
        tell: ProgressCallback,
    ) -> None:
        self._plan, self._data, self._backbone, self._frozen = plan, data, backbone, frozen
        self._folder, self._cache, self._tell = folder, cache, tell

    @property
    def _backbone_name(self) -> str:
        """The handle; of a path its last part, since a card is read elsewhere."""
        handle = self._plan.backbone
        return handle if "://" in handle else Path(handle).name

    def run(self) -> FineTuned:
        train, validation = self._features()
        head = self._train_head(train, validation)
        curve = list(head.curve)
        if self._plan.unfreeze is not None:
            curve += self._unfreeze(head)
        encoder = self._export(head.model)
        outcomes = self._judge(encoder, head.model, train, validation)
        own = outcomes[0].queries
        checked, calibration, uncalibrated = self._calibrate(own)
        recipe = self._recipe(head.best)
        metrics = {
            "curve": [asdict(epoch) for epoch in curve],
            "outcomes": [outcome.figures() for outcome in outcomes],
            "expected_calibration_error": None if checked is None else checked.error,
        }
        made = FineTuned(
            self._folder, encoder.fingerprint, encoder.dim, recipe, self._data.manifest.summary(), metrics, calibration,
            outcomes, [*self._data.manifest.problems, *uncalibrated],
        )  # fmt: skip
        self._write_down(made, curve, checked)
        return made

    def _features(self) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        found = []
        for stage, photos, hashes, views in (
            ("features", self._data.train, self._data.train_hashes, self._plan.views),
            ("validation features", self._data.validation, self._data.validation_hashes, 1),
        ):
            found.append(
                view_features(
                    self._frozen,
                    photos,
                    hashes,
                    views=views,
                    seed=self._plan.head.seed,
                    cache=self._cache,
                    progress=StageProgress(self._tell, stage, len(photos)),
                )
            )
        return found[0], found[1]

    def _train_head(self, train: NDArray[np.float16], validation: NDArray[np.float16]) -> TrainedHead:
        options = self._plan.head

        def on_epoch(epoch: Epoch) -> None:
            self._tell("head", epoch.number, options.epochs)

        return train_head(
            train,
            self._data.numbers(),
            options,
            score=lambda embed: self._score(embed, train[:, 0], validation[:, 0]),
            on_epoch=on_epoch,
            checkpoint=self._cache / "head.npz",
        )

    def _score(self, embed: Embed, train: NDArray[Any], validation: NDArray[Any]) -> float:
        """Validation mAP: against the photos trained on, or, by product, against the other validation photos."""
        labels = labels_of([photo.label for photo in self._data.validation])
        queries = embed(validation)
        if self._plan.by_product:
            return retrieval_metrics(queries, labels, queries, labels, leave_one_out=True).mean_average_precision
        seen = np.arange(len(train))
        if len(seen) > _GALLERY_SEEN:
            seen = np.sort(np.random.default_rng(0).choice(len(train), _GALLERY_SEEN, replace=False))
        gallery = labels_of([self._data.train[number].label for number in seen.tolist()])
        return retrieval_metrics(queries, labels, embed(train[seen]), gallery).mean_average_precision

    def _unfreeze(self, head: TrainedHead) -> list[Epoch]:
        options = self._plan.unfreeze
        assert options is not None  # noqa: S101  # asked for before the call
        return train_unfrozen(
            self._backbone,
            head,
            self._data.train,
            self._data.numbers(),
            self._data.validation,
            labels_of([photo.label for photo in self._data.validation]),
            labels_of(list(self._data.classes)),
            self._plan.head,
            options,
            first_number=len(head.curve) + 1,
            on_epoch=lambda epoch: self._tell("unfrozen", epoch.number - len(head.curve), options.epochs),
        )

    def _forward(self, head: keras.Model) -> Callable[[Any], Any]:
        def forward(images: Any) -> Any:
            features = tf.math.l2_normalize(self._backbone.forward(images), axis=1)
            return head(features, training=False)

        return forward

    def _export(self, head: keras.Model) -> LiteRTEncoder:
        self._tell("export", 0, 0)
        forward, size = self._forward(head), self._backbone.input_size
        variables = [
            *(variable for layer in self._backbone.layers for variable in layer),
            *(v.value for v in head.variables),
        ]
        write_atomically(self._folder / MODEL, export_litert(forward, size, variables, half_precision_weights=True))
        export_saved_model(forward, size, variables, self._folder / SAVED_MODEL, beside=self._backbone.holder)
        encoder = LiteRTEncoder(self._folder / MODEL, threads=1)
        self._compare(encoder, head)
        return encoder

    def _compare(self, encoder: LiteRTEncoder, head: keras.Model) -> None:
        """What is exported has to say what was trained; a converter that leaves something out says nothing of it."""
        if self._plan.unfreeze is not None:
            return
        for photo in self._data.validation[:_PHOTOS_COMPARED]:
            image = photo.image(at_least=self._frozen.input_size)
            wanted = embed_with(head, self._frozen.encode([image]))[0]
            cosine = float(encoder.encode([image])[0] @ wanted)
            if cosine < _SAME_EMBEDDING:
                raise TrainingFailed(
                    f"the exported model answers otherwise than the trained one (cosine {cosine:.3f} for {photo.name}):"
                    " this backbone cannot be exported to LiteRT"
                )

    def _judge(
        self, encoder: LiteRTEncoder, head: keras.Model, train: NDArray[np.float16], validation: NDArray[np.float16]
    ) -> list[Outcome]:
        self._tell("evaluation", 0, 0)
        if self._plan.unfreeze is None:
            own = self._embedded(lambda features: embed_with(head, features), train, validation)
        else:
            own = [embed_photos(encoder, photos, "evaluation") for photos in (self._data.train, self._data.validation)]
        raw = self._embedded(lambda features: np.asarray(features, dtype=np.float32), train, validation)
        contenders = [
            ("fine-tuned", encoder.fingerprint, own),
            (f"raw backbone ({self._backbone_name})", self._frozen.fingerprint, raw),
        ]
        for name, other in self._plan.beside:
            both = [embed_photos(other, photos, name) for photos in (self._data.train, self._data.validation)]
            contenders.append((name, other.fingerprint, both))
        outcomes = []
        for name, fingerprint, (gallery, queries) in contenders:
            try:
                outcomes.append(judge(name, fingerprint, queries, queries if self._plan.by_product else gallery))
            except ValueError as error:
                raise UnusablePhotos(f"the validation photos cannot be judged: {error}") from error
        return outcomes

    def _embedded(
        self, embed: Embed, train: NDArray[np.float16], validation: NDArray[np.float16]
    ) -> list[EmbeddedPhotos]:
        return [
            EmbeddedPhotos(self._data.train, embed(train[:, 0])),
            EmbeddedPhotos(self._data.validation, embed(validation[:, 0])),
        ]

    def _calibrate(self, embedded: EmbeddedPhotos) -> tuple[CalibrationCheck | None, dict[str, Any] | None, list[str]]:
        """Of the same kind, and, where products are known, of the same product."""
        missing: list[str] = []
        checked: CalibrationCheck | None = None
        fitted: dict[str, Calibration] = {}
        by_class = not self._plan.by_product
        for name, labels, groups in (
            ("kind", embedded.labels, embedded.products) if by_class else ("product", embedded.labels, None),
            *([("product", embedded.products, None)] if by_class and _has_pairs(embedded.products) else []),
        ):
            try:
                fitted[name] = fit_calibration(*pairs(embedded.embeddings, labels, groups=groups))
                if checked is None:
                    checked = calibration_check(embedded)
            except ValueError as error:
                missing.append(f"no confidence for the same {name}: {error}")
        return checked, {name: each.as_dict() for name, each in fitted.items()} or None, missing

    def _recipe(self, best: int) -> dict[str, Any]:
        plan = self._plan
        return {
            "backbone": self._backbone_name,
            "backbone_fingerprint": self._backbone.fingerprint,
            "weights": None if plan.weights is None else plan.weights.name,
            "input_size": self._backbone.input_size,
            "by_product": plan.by_product,
            "views": plan.views,
            **asdict(plan.head),
            "best_epoch": best,
            "unfreeze": None if plan.unfreeze is None else asdict(plan.unfreeze),
        }

    def _write_down(self, made: FineTuned, curve: Sequence[Epoch], checked: CalibrationCheck | None) -> None:
        self._tell("report", 0, 0)
        manifest = json.dumps(self._data.manifest.as_dict(), indent=1, ensure_ascii=False)
        write_atomically(self._folder / MANIFEST, manifest.encode() + b"\n")
        facts = {
            "fingerprint": made.fingerprint,
            "photos to train on": len(self._data.train),
            "photos to validate with": len(self._data.validation),
            "classes": len(self._data.classes),
            **{name: value for name, value in made.recipe.items() if value is not None},
        }
        context = {"made": made, "facts": facts, "title": self._data.manifest.title}
        write_atomically(self._folder / CARD, render_to_string("embeddings/model_card.md", context).encode())
        report = report_on(
            f"An encoder fine-tuned on {self._data.manifest.title}",
            made.outcomes,
            facts=facts,
            epochs=[ReportedEpoch(epoch.number, epoch.loss, epoch.score) for epoch in curve],
            calibration=checked,
        )
        write_report(report, self._folder / REPORT)


def _has_pairs(products: NDArray[np.str_]) -> bool:
    known = products[products != ""]
    return len(np.unique(known)) < len(known)
