"""How far does the seed alone move the figures of a fine-tuning?

Usage: REAL_DATA=... python -m bench.fine_tuning_seeds [--seeds 3] [--sets clothing grocery magento] [--site DIR] [NAME=VALUE ...]
Trains with the seeds 0, 1, 2 and so on; the photos are divided once, by seed 0. A seed decides the augmented views, the first
weights, the batches and the dropout. NAME=VALUE sets an option of `manage.py train`, such as soup=1. The figures are those of the
model card, before the model is exported in float16. `sd` is the standard deviation over the seeds (n - 1), `s` the median of the
seconds of a training with its features. DIR keeps features and backups, so that an interrupted run continues there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

from bench.tables import publish, real_data
from training.config import TrainingConfig, knobs

if TYPE_CHECKING:
    from embeddings.evaluation.metrics import RetrievalMetrics
    from training.training_data import TrainingData

FIGURES = {"Recall@1": "recall_at_1", "mAP": "mean_average_precision", "mAP@R": "map_at_r"}
# Photos, those to validate with, metadata, and the options that `bench.fine_tuning` has for the set.
SETS: dict[str, tuple[str, str | None, str | None, dict[str, Any]]] = {
    "clothing": ("clothing/train", "clothing/validation", None, {}),
    "grocery": ("grocery/train", "grocery/val", None, {}),
    "magento": ("magento_luma/images", None, "magento_luma/images.csv", {"by_product": True, "fraction": 0.25}),
}


def main() -> None:
    """Train, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--site", type=Path, help="folder of the site; default: a temporary one")
    parser.add_argument("options", nargs="*", type=option, metavar="NAME=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.site or Path(temporary)).resolve()
        os.environ.update(DEBUG="true", DATA_DIR=str(folder), LOG_LEVEL="WARNING")
        django.setup()
        rows = [row for name in options.sets for row in _rows(name, options.seeds, dict(options.options), folder)]
        publish("fine_tuning_seeds", rows)


def option(text: str) -> tuple[str, Any]:
    """An option of a training from the command line, NAME=VALUE."""
    name, _, value = text.partition("=")
    knob = next((each for each in knobs() if each.name == name), None)
    if knob is None:
        raise argparse.ArgumentTypeError(f"no option of a training is named {name!r}")
    return name, knob.parse(value)


def _rows(name: str, seeds: int, given: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    config = TrainingConfig(**{**SETS[name][3], **given})
    data = _divided(name, replace(config, seed=0), folder / "unpacked")
    found, seconds = list[Any](), list[float]()
    for seed in range(seeds):
        started = time.monotonic()
        found.append(_trained(data, replace(config, seed=seed), folder / "training" / f"{name}-{seed}"))
        seconds.append(time.monotonic() - started)
        print(
            name, seed, f"Recall@1 {found[-1].recall_at_1:.3f}, mAP {found[-1].mean_average_precision:.3f}", flush=True
        )
    return [
        {
            "set": name,
            "figure": figure,
            **{f"seed {seed}": getattr(each, field) for seed, each in enumerate(found)},
            "mean": statistics.mean(getattr(each, field) for each in found),
            "sd": statistics.stdev(getattr(each, field) for each in found) if seeds > 1 else "",
            "s": statistics.median(seconds),
        }
        for figure, field in FIGURES.items()
    ]


def _divided(name: str, config: TrainingConfig, unpacked: Path) -> TrainingData:
    from embeddings.dataset import read_photos
    from training.training_data import divide

    data = real_data() / "data"
    train, validation, metadata, _ = SETS[name]
    photos = read_photos(data / train, data / metadata if metadata else None, unpacked / "train")
    held_out = read_photos(data / validation, None, unpacked / "validation") if validation else None
    return divide(photos, held_out, config, lambda *_: None)


def _trained(data: TrainingData, config: TrainingConfig, cache: Path) -> RetrievalMetrics:
    from embeddings import versions
    from embeddings.evaluation.metrics import retrieval_metrics
    from training.fine_tune import fine_tune

    network = fine_tune(
        data, config, backbones=versions.backbones_folder(), cache=cache, checkpoints=cache / "checkpoints",
        on_progress=lambda *_: None,
    )  # fmt: skip
    if network.embedded is None:
        raise SystemExit("unfreeze is for bench.fine_tuning")
    gallery, queries = network.embedded
    if config.by_product:
        gallery = queries
    return retrieval_metrics(
        queries.embeddings, queries.labels, gallery.embeddings, gallery.labels, leave_one_out=config.by_product
    )


if __name__ == "__main__":
    main()
