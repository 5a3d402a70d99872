"""How much better does a shop's own training make an encoder?

Usage: REAL_DATA=... python -m bench.fine_tuning
Trains a head for each of three sets on two backbones by `manage.py train`, in a throw-away site: clothing (10 classes) and grocery
(81 classes) with their own validation photos, Magento Luma by product with a quarter of its products kept aside. The features are
computed before the head is trained; `head s` is the head alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.tables import publish, real_data

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Measure, print and write down."""
    data = real_data()
    backbone = str(next((data / "encoders").glob("mobilenet_v2_*.tar.gz")))
    sets = {
        "clothing": ["--data", data / "data/clothing/train", "--validation", data / "data/clothing/validation"],
        "grocery": ["--data", data / "data/grocery/train", "--validation", data / "data/grocery/val"],
        "magento, same product": [
            "--data", data / "data/magento_luma/images", "--metadata", data / "data/magento_luma/images.csv",
            "--by-product", "--fraction", "0.25",
        ],
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DEBUG": "true", "DATA_DIR": folder, "LOG_LEVEL": "WARNING"}
        _manage(environment, "migrate", "--verbosity", "0")
        for name, arguments in sets.items():
            for title, handle in (("MobileNetV2", backbone), ("bundled", "bundled")):
                slug = f"{name.split(',')[0]}-{title.lower()}"
                printed = _manage(
                    environment, "train", "--json", "--collection", slug, "--backbone", handle, *map(str, arguments)
                )
                trained = json.loads(printed.splitlines()[-1])
                for encoder, figures in trained["figures"].items():
                    own = encoder == "fine-tuned"
                    rows.append(
                        {
                            "set": name,
                            "backbone": title,
                            "encoder": "fine-tuned" if own else "raw",
                            "Recall@1": figures["recall_at_1"],
                            "mAP": figures["mean_average_precision"],
                            "mAP@R": figures["map_at_r"],
                            "head s": trained["head_seconds"] if own else "",
                            "ECE": trained["expected_calibration_error"] if own else "",
                        }
                    )
    publish("fine_tuning", rows)


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
