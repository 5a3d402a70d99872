"""manage.py export_encoder: an encoder version as files for other places, with what int8 costs in quality."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings import versions
from embeddings.backends import BUNDLED_ENCODERS, bundled_weights, get_encoder
from embeddings.dataset import PhotoSet, read_photos
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.errors import EmbeddingsError, EncoderUnavailable
from embeddings.evaluation.live import catalogue_photos
from embeddings.evaluation.metrics import METRICS
from embeddings.evaluation.protocols import EvaluationResult, EvaluationSplit, evaluate_encoder
from embeddings.management.errors import command_error
from embeddings.models import EncoderVersion
from jobs import arguments
from pictures.photos import ImageRejected
from product_files.containers.archives import ArchiveRejected
from stores import base as stores
from training.management.tensorflow import require_tensorflow

FLOAT, INT8, SAVED_MODEL, CARD = "model.tflite", "model-int8.tflite", "saved_model", "MODEL_CARD.md"
PHOTOS_FOR_RANGES = 200
PHOTOS_EVALUATED = 2000


class Command(BaseCommand):
    help = (
        "Write an encoder version as LiteRT float and int8, SavedModel and model card. The loss of quality by int8 is measured on "
        "photos (folder = class), or on the collection's own in the catalogue."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("version", help="such as fashion-v2")
        parser.add_argument(
            "--out", type=arguments.path, required=True, metavar="DIR", help="a folder that does not exist yet"
        )
        parser.add_argument(
            "--photos",
            type=arguments.existing_path,
            help="folder or zip to measure with; default: the catalogue's photos",
        )

    def handle(self, *, version: str, out: Path, photos: Path | None, **_: Any) -> None:
        if out.exists():
            raise CommandError(f"{out} exists already: name a folder that does not.")
        try:
            require_tensorflow()
            found = versions.find_version(version)
        except EmbeddingsError as error:
            raise command_error(error) from error
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            with tempfile.TemporaryDirectory(prefix="photos-") as unpacked:
                seen = catalogue_photos(found) if photos is None else read_photos(photos, None, Path(unpacked))
                results = _export(found, seen.of_classes().sample(PHOTOS_EVALUATED), made)
            self._write_card(found, results, made)
            made.chmod(0o755)
            made.rename(out)
        except (EmbeddingsError, ArchiveRejected, ValueError) as error:
            raise command_error(error) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)
        for name in (FLOAT, INT8):
            self.stdout.write(f"{out / name}: {(out / name).stat().st_size / 1e6:.1f} MB")
        self.stdout.write("".join(_table(results)))

    def _write_card(self, version: EncoderVersion, results: list[EvaluationResult], made: Path) -> None:
        text = _card_of(version) or f"# {version.label}\n"
        text += "\n## Exported files\n\n" + "".join(_table(results))
        (made / CARD).write_text(text)


def _card_of(version: EncoderVersion) -> str:
    """Its model card; "" where it has none."""
    if (bundled := BUNDLED_ENCODERS.get(version.encoder)) is not None:
        return (bundled.parent / CARD).read_text()
    if not version.files:
        return ""
    try:
        with stores.encoders().open(f"{version.files}/{CARD}") as file:
            return str(file.read().decode())
    except FileNotFoundError:
        return ""


@contextmanager
def _source_of(version: EncoderVersion) -> Iterator[Path]:
    """What a version is exported from: a bundled model, or its SavedModel."""
    if version.encoder in BUNDLED_ENCODERS:
        yield bundled_weights(version.encoder)
        return
    store, folder = stores.encoders(), f"{version.files}/{SAVED_MODEL}"
    if not version.files or store.is_empty(folder):
        raise EncoderUnavailable(
            f"{version.label} was registered from a LiteRT file: without a SavedModel there is nothing to export from"
        )
    with store.local_folder(folder) as source:
        yield source


def _export(version: EncoderVersion, photos: PhotoSet, made: Path) -> list[EvaluationResult]:
    with _source_of(version) as source:
        return _export_from(source, version, photos, made)


def _export_from(source: Path, version: EncoderVersion, photos: PhotoSet, made: Path) -> list[EvaluationResult]:
    from training.portable import Portable

    serving = get_encoder(version.encoder)
    # Photos that nothing can be measured with are refused before minutes of converting.
    results = [evaluate_encoder("serving", serving, EvaluationSplit(photos, None))]
    portable = Portable(source, serving.input_size)
    (made / FLOAT).write_bytes(portable.litert())
    (made / INT8).write_bytes(portable.litert_int8(_readable(photos.sample(PHOTOS_FOR_RANGES), serving.input_size)))
    portable.saved_model(made / SAVED_MODEL)
    for name, file in (("float", FLOAT), ("int8", INT8)):
        results.append(evaluate_encoder(name, LiteRTEncoder(made / file), EvaluationSplit(photos, None)))
    return results


def _readable(photos: PhotoSet, size: int) -> Any:
    for photo in photos.photos:
        try:
            yield photo.image(at_least=size)
        except ImageRejected:
            continue


def _table(results: list[EvaluationResult]) -> list[str]:
    lines = [f"| file | {' | '.join(METRICS.values())} |\n", f"| --- {'| --- ' * len(METRICS)}|\n"]
    for result in results:
        figures = result.metrics.as_dict()
        lines.append(f"| {result.name} | {' | '.join(f'{figures[name]:.4f}' for name in METRICS)} |\n")
    return lines
