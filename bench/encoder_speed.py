"""Photos per second of the bundled encoders on one core, compared with the network of one of their teachers.

Usage: REAL_DATA=... python -m bench.encoder_speed [--teacher SAVED_MODEL_FOLDER_OR_TAR_GZ]
All run as LiteRT with one thread, by turns. CPU time of this process, median of the rounds. "model": the network alone;
"photo": from a decoded photo, including the resize to the input size.
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
from embeddings.backends import BUNDLED_ENCODERS
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.preprocessing import to_input
from pictures.photos import open_rgb
from training import student
from training.export import to_litert

ROUNDS = 9
PHOTOS = 40


def teacher_encoder(source: Path, work: Path) -> LiteRTEncoder:
    """The teacher as LiteRT, from its SavedModel folder or archive."""
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
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, help="default: the archive in REAL_DATA/encoders")
    data = real_data()
    teacher = parser.parse_args().teacher or next((data / "encoders").glob("mobilenet_v2_*.tar.gz"))
    photos = [open_rgb(path) for path in sorted((data / "data/clothing/validation").rglob("*.jpg"))[:PHOTOS]]
    with tempfile.TemporaryDirectory() as folder:
        encoders = {
            "teacher, MobileNetV2 224": teacher_encoder(teacher, Path(folder)),
            **{name: LiteRTEncoder(path) for name, path in BUNDLED_ENCODERS.items()},
        }
        rates: dict[tuple[str, str], list[float]] = {(name, part): [] for name in encoders for part in PARTS}
        for number in range(1 + ROUNDS):
            for name, encoder in encoders.items():
                for part, measure in PARTS.items():
                    rate = measure(encoder, photos)
                    if number:  # the first is the warm-up
                        rates[name, part].append(rate)
    teacher_name, *bundled = encoders
    rows = [{"encoder": name, **{f"{part}/s": median(rates[name, part]) for part in PARTS}} for name in encoders]
    ratios = {
        f"{name} / teacher, {part}": float(np.median(np.array(rates[name, part]) / np.array(rates[teacher_name, part])))
        for name in bundled
        for part in PARTS
    }
    publish("encoder_speed", rows, ratios)


def _photos_a_second(encoder: LiteRTEncoder, photos: list[Image.Image]) -> float:
    started = time.process_time()
    for photo in photos:
        encoder.encode([photo])
    return len(photos) / (time.process_time() - started)


def _runs_a_second(encoder: LiteRTEncoder, photos: list[Image.Image]) -> float:
    interpreter = encoder.new_interpreter()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], to_input(photos[0], encoder.input_size))
    interpreter.invoke()
    started = time.process_time()
    for _ in photos:
        interpreter.invoke()
    return len(photos) / (time.process_time() - started)


PARTS = {"model": _runs_a_second, "photo": _photos_a_second}


if __name__ == "__main__":
    main()
