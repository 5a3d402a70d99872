"""Model runs a second of the bundled encoders by LiteRT, ONNX Runtime and OpenVINO, in float32, bfloat16 and int8 where they can.

Usage: REAL_DATA=... python -m bench.runtimes --python PYTHON [--rounds 9]
PYTHON is of an environment with `ai-edge-litert onnxruntime openvino tf2onnx tensorflow`; `bench/runtimes_child.py` runs
there. One thread, all in turns in one process, processor time of that process, medians of the rounds. `cosine`: of the embeddings
of photos that no range was learned from with those of the float32 LiteRT model, the mean and the least of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.tables import median, publish, real_data
from embeddings.backends import BUNDLED_ENCODERS, bundled_weights
from embeddings.encoders.preprocessing import to_input
from pictures.photos import open_rgb
from training.export import to_litert
from training.litert_files import read_litert

# The ranges of int8 activations are learned from some photos, and the embeddings of others are compared.
CALIBRATION, JUDGED = 100, 40
CHILD = Path(__file__).with_name("runtimes_child.py")


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="of the environment that has the runtimes")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    photos = sorted((real_data() / "data/clothing/validation").rglob("*.jpg"))
    photos = photos[:: max(1, len(photos) // (CALIBRATION + JUDGED))]
    rows: list[dict[str, Any]] = []
    for name, model in BUNDLED_ENCODERS.items():
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), name, model, photos)
            rows += _measured(options.python, Path(folder), name, options.rounds)
    publish("runtimes", rows, {"rounds": options.rounds})


def _write(folder: Path, name: str, int8_model: Path, photos: Sequence[Path]) -> None:
    """What the other environment needs: the model in float32 and in int8, and photos as its input."""
    network = read_litert(bundled_weights(name))
    (folder / "float32.tflite").write_bytes(to_litert(network))
    shutil.copy(int8_model, folder / "int8.tflite")
    inputs = np.concatenate([to_input(open_rgb(photo), network.input_shape[1]) for photo in photos])
    np.save(folder / "calibration.npy", inputs[:CALIBRATION])
    np.save(folder / "judged.npy", inputs[CALIBRATION : CALIBRATION + JUDGED])


def _measured(python: str, folder: Path, name: str, rounds: int) -> list[dict[str, Any]]:
    # TensorFlow, which only converts, says what it thinks of the machine.
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, str(CHILD), str(folder), str(rounds)]
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    measured: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    first = median(measured["LiteRT, float32"]["runs_per_second"])
    return [
        {
            "encoder": name,
            "runtime": runtime,
            "runs/s": (rate := median(figures["runs_per_second"])),
            "times LiteRT float32": rate / first,
            "cosine": figures["mean_cosine"],
            "least": figures["least_cosine"],
        }
        for runtime, figures in measured.items()
    ]


if __name__ == "__main__":
    main()
