"""How many photos a second the bundled encoder embeds on one core, beside the network it was distilled from.

Usage: REAL_DATA=... python -m bench.encoder_speed [--teacher SAVED_MODEL_FOLDER_OR_TAR_GZ]
Both run as LiteRT with one thread, in turn, on the same decoded photos; CPU time of this process, median of the rounds.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bench.tables import median, publish, real_data
from catalog.photos import open_upright
from embeddings.backends import BUNDLED
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.training import student
from embeddings.training.export import to_litert

ROUNDS = 9
PHOTOS = 40


def teacher_encoder(source: Path, work: Path) -> LiteRTEncoder:
    """The teacher as LiteRT, from its SavedModel folder or the archive that it came in."""
    if source.is_file():
        with tarfile.open(source) as archive:
            archive.extractall(work, filter="data")
        source = work
    network = student.build_network(224, student.mobilenet_v2_blocks(), 1280, None)
    student.load_convolutions(network, student.read_teacher(str(source)))
    path = work / "teacher.tflite"
    path.write_bytes(to_litert(network))
    return LiteRTEncoder(path)


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, help="default: the archive in REAL_DATA/encoders")
    data = real_data()
    teacher = parser.parse_args().teacher or next((data / "encoders").glob("mobilenet_v2_*.tar.gz"))
    photos = [open_upright(path) for path in sorted((data / "data/clothing/validation").rglob("*.jpg"))[:PHOTOS]]
    with tempfile.TemporaryDirectory() as folder:
        encoders = {
            "teacher, MobileNetV2 224": teacher_encoder(teacher, Path(folder)),
            "bundled": LiteRTEncoder(BUNDLED),
        }
        rates: dict[str, list[float]] = {name: [] for name in encoders}
        for encoder in encoders.values():
            _rate(encoder, photos)
        for _ in range(ROUNDS):
            for name, encoder in encoders.items():
                rates[name].append(_rate(encoder, photos))
    ratios = np.array(rates["bundled"]) / np.array(rates["teacher, MobileNetV2 224"])
    rows = [{"encoder": name, "images/s, one core": median(values)} for name, values in rates.items()]
    publish("encoder_speed", rows, {"bundled / teacher": float(np.median(ratios))})


def _rate(encoder: LiteRTEncoder, photos: list[Image.Image]) -> float:
    started = time.process_time()
    for photo in photos:
        encoder.encode([photo])
    return len(photos) / (time.process_time() - started)


if __name__ == "__main__":
    main()
