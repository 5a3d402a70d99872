"""How much does fine-tuning on a shop's own photos improve an encoder?

Usage: REAL_DATA=... python -m bench.fine_tuning [--site DIR]
Trains encoder versions by `manage.py train` in a temporary site (or in DIR, which keeps the features for the next run) with one
fixed seed: every loss on clothing (10 classes) and grocery (81 classes) with their own validation photos, unfreezing on clothing,
Magento Luma by product with a quarter of its products held out, and a Siamese network on MNIST. Features are computed before the
head is trained; `head s` is the head alone. `low` and `high` are the ends of the 95% bootstrap interval of mAP.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.tables import publish, real_data

ROOT = Path(__file__).resolve().parents[1]
LOSSES = ("normalised-softmax", "softmax", "arcface", "contrastive", "triplet")
BUNDLED, FAST, MOBILENET = "bundled", "bundled-fast", "MobileNetV2"


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, help="folder of the site; default: a temporary one")
    site = parser.parse_args().site
    with tempfile.TemporaryDirectory() as temporary:
        folder = site or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "DEBUG": "true", "DATA_DIR": str(folder), "LOG_LEVEL": "WARNING"}
        publish("fine_tuning", _rows(environment))


def _rows(environment: dict[str, str]) -> list[dict[str, Any]]:
    data = real_data()
    handles = {BUNDLED: BUNDLED, FAST: FAST, MOBILENET: str(next((data / "encoders").glob("mobilenet_v2_*.tar.gz")))}
    sets = {
        "clothing": ["--data", data / "data/clothing/train", "--validation", data / "data/clothing/validation"],
        "grocery": ["--data", data / "data/grocery/train", "--validation", data / "data/grocery/val"],
        "magento, same product": [
            "--data", data / "data/magento_luma/images", "--metadata", data / "data/magento_luma/images.csv",
            "--by-product", "--fraction", "0.25",
        ],
    }  # fmt: skip
    runs: list[tuple[str, str, list[str]]] = [
        *((name, BUNDLED, []) for name in sets),
        *(("clothing", FAST, ["--loss", loss]) for loss in LOSSES),
        ("clothing", FAST, ["--unfreeze", "4", "--unfreeze-epochs", "2"]),
        *(("grocery", FAST, ["--loss", loss]) for loss in LOSSES),
        ("magento, same product", FAST, []),
        ("clothing", MOBILENET, []),
        ("grocery", MOBILENET, []),
    ]
    _manage(environment, "migrate", "--verbosity", "0")
    rows: list[dict[str, Any]] = []
    for name, backbone, extra in runs:
        slug = f"{name.split(',')[0]}-{backbone.lower()}"
        arguments = ["--collection", slug, "--backbone", handles[backbone], *map(str, sets[name]), *extra]
        trained = json.loads(_manage(environment, "train", "--json", *arguments).splitlines()[-1])
        metrics = _metrics(environment, trained["encoder"])
        for number, figures in enumerate(metrics["outcomes"]):
            low, high = figures["intervals"]["mean_average_precision"]
            rows.append(
                {
                    "set": name,
                    "backbone": backbone,
                    "encoder": "raw" if number else " ".join(["fine-tuned", *extra]),
                    "Recall@1": figures["recall_at_1"],
                    "mAP": figures["mean_average_precision"],
                    "low": low,
                    "high": high,
                    "mAP@R": figures["map_at_r"],
                    "epochs": "" if number else len(metrics["curve"]),
                    "head s": "" if number else trained["head_seconds"],
                    "ECE": "" if number else trained["expected_calibration_error"],
                }
            )
            print(rows[-1], flush=True)
    digits = _manage(environment, "train", "--siamese", "--json", "--data", str(data / "data/mnist"))
    print(digits, flush=True)
    return rows


def _metrics(environment: dict[str, str], label: str) -> dict[str, Any]:
    """The metrics of the version from its training, with their intervals."""
    number = int(label.rpartition("-v")[2])
    versions = json.loads(_manage(environment, "dumpdata", "embeddings"))
    pk = next(
        row["pk"] for row in versions
        if row["model"] == "embeddings.collection" and row["fields"]["slug"] == label.rpartition("-v")[0]
    )  # fmt: skip
    metrics: dict[str, Any] = next(
        row["fields"]["metrics"] for row in versions
        if row["model"] == "embeddings.encoderversion"
        and (row["fields"]["collection"], row["fields"]["number"]) == (pk, number)
    )  # fmt: skip
    return metrics


def _manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return done.stdout


if __name__ == "__main__":
    main()
