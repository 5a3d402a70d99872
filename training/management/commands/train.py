"""manage.py train: fine-tune an encoder for a collection on a shop's own photos, or train a Siamese network from scratch."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from embeddings import versions
from embeddings.errors import EmbeddingsError, WorseEncoder
from embeddings.evaluation.metrics import METRICS
from embeddings.management.errors import command_error
from embeddings.models import Collection, EncoderVersion
from embeddings.text_maps import train_text_map
from jobs import arguments, execution, failures
from jobs.files import local_upload
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars
from jobs.selectors import get_job
from jobs.storage import StorageUnavailable, os_error_message
from product_files.containers.archives import ArchiveRejected
from stores import base as stores
from training.config import JOIN, Knob, TrainingConfig, knobs
from training.errors import BackboneUnavailable, WeightsMissing
from training.further_labels import FURTHER_LABELS
from training.management.tensorflow import require_tensorflow

if TYPE_CHECKING:
    from training.encoder_files import TrainedEncoder


class Command(BaseCommand):
    help = (
        "Train an encoder on photos (folder = class) or on the catalogue itself, and register it as a new version of the "
        "collection. It serves nothing until it is activated. An interrupted training continues when the same command runs again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--collection", default="all", help="slug; created over the whole catalogue if it is missing"
        )
        parser.add_argument(
            "--categories", default="", help="slug paths, comma-separated, of a collection that is created"
        )
        parser.add_argument(
            "--data",
            type=arguments.existing_path,
            help="folder or zip of photos; default: the collection's photos in the catalogue",
        )
        parser.add_argument(
            "--validation",
            type=arguments.existing_path,
            help="folder or zip to validate with; default: a part of --data",
        )
        parser.add_argument(
            "--metadata",
            type=arguments.existing_path,
            help="CSV with file, product_id and category (default: metadata.csv in the folder)",
        )
        for knob in knobs():
            _add_option(parser, knob)
        parser.add_argument("--out", type=arguments.path, help="with --siamese: a .keras file to write too")
        parser.add_argument(
            "--text-map",
            action="store_true",
            help="instead of an encoder, learn from the products of the collection what their texts look like; for searches by"
            " a photo and words. Takes seconds, and is in use at once",
        )
        parser.add_argument("--activate", action="store_true", help="make the new version the active one")
        parser.add_argument("--allow-worse", action="store_true", help="with --activate: even where it is worse")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument("--job", type=UUID, help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        try:
            if options["job"] is not None:
                self._run_job(options["job"])
            elif options["text_map"]:
                self._train_text_map(options)
            else:
                self._train(options)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Run the same command again to go on where it stopped.", returncode=130
            ) from None
        except WeightsMissing as error:
            raise CommandError(f"{error}: --weights FILE") from error
        except (EmbeddingsError, ArchiveRejected, ValueError, StorageUnavailable) as error:
            raise command_error(error) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise CommandError(
                f"{place}{os_error_message(error)}, then run the same command again to go on."
            ) from error

    def _train(self, options: dict[str, Any]) -> None:
        if options["siamese"] and options["data"] is None:
            raise ValueError("--siamese needs --data: a folder of digits or a folder of photos (folder = class)")
        if options["backbone"] is not None:
            options["backbone"] = _handle_of(options["backbone"])
        categories = [path.strip() for path in options["categories"].split(",") if path.strip()]
        with stage_bars() as on_progress:
            collection, created = versions.ensure_collection(options["collection"], categories)
            try:
                trained, version = _train_version(collection, options, on_progress)
            except BaseException:
                if created:
                    collection.delete()
                raise
            activation = (
                versions.activate(version, allow_worse=options["allow_worse"], on_progress=on_progress)
                if options["activate"]
                else None
            )
        if options["json"]:
            self.stdout.write(json.dumps(_result(trained, version, activated=activation is not None)))
            return
        self._print(trained, version)
        if activation is None:
            self.stdout.write(f"To use it: manage.py activate_encoder {version.label}")
        else:
            self.stdout.write(f"{version.label} is active, with {activation.points} points")

    def _train_text_map(self, options: dict[str, Any]) -> None:
        if options["siamese"] or options["data"] is not None or options["activate"]:
            raise ValueError(
                "--text-map learns from the collection's products: leave out --data, --siamese and --activate"
            )
        version = versions.active_version_of(options["collection"])
        figures = train_text_map(version)
        if options["json"]:
            self.stdout.write(json.dumps({"encoder": version.label, **asdict(figures)}))
            return
        self.stdout.write(
            f"{version.label}: Recall@10 of {figures.aside} products kept aside, among {figures.products}: {figures.recall:.4f};"
            f" by the nearest texts alone {figures.text_only:.4f}, by chance {figures.chance:.4f}"
        )
        self.stdout.write(
            f"trained on all in {figures.seconds:.1f} s; searches by a photo and words use it from now on"
        )

    def _run_job(self, job_id: UUID) -> None:
        """The training of a job, as the child of the process that runs the job."""
        job = get_job(job_id)
        execution.attach_to_runner(job)
        options: dict[str, Any] = dict(job.parameters)
        try:
            options["backbone"] = _named_backbone(job.parameters.get("backbone", "bundled"))
            # Without an upload on the collection's own photos.
            with local_upload(job) if job.upload else nullcontext() as data:
                result = _job_result(job, {**options, "data": data}, execution.ProgressReporter(job))
        except (EmbeddingsError, ArchiveRejected, ValueError) as error:
            reason = str(error).replace(options["backbone"], job.parameters.get("backbone", options["backbone"]))
            execution.fail(job, reason)
        except StorageUnavailable as error:
            execution.fail_with_storage_error(job, error)
        except OSError as error:
            execution.fail_with_os_error(job, error)
        except MemoryError:
            execution.fail(job, failures.MEMORY_OF_TRAINING())
        else:
            execution.succeed(job, result)

    def _print(self, trained: TrainedEncoder, version: EncoderVersion) -> None:
        for problem in trained.problems:
            self.stderr.write(f"note: {problem}")
        width = max(len(result.name) for result in trained.results)
        self.stdout.write(" ".join([" " * width, *(f"{title:>13}" for title in METRICS.values())]))
        for result in trained.results:
            figures = result.metrics.as_dict()
            self.stdout.write(" ".join([f"{result.name:<{width}}", *(f"{figures[name]:>13.4f}" for name in METRICS)]))
        for name, label in trained.figures.get(FURTHER_LABELS, {}).items():
            self.stdout.write(
                f"also learned: {name}, {label['values']} values of {label['photos']} photos, loss {label['loss']:.4f}"
            )
        for name, value in trained.figures.items():
            if name == FURTHER_LABELS:
                continue
            self.stdout.write(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
        seconds = sum(epoch["seconds"] for epoch in trained.metrics["curve"])
        self.stdout.write(f"trained in {seconds:.1f} s, best epoch {trained.recipe['best_epoch']}")
        if (error := trained.metrics["expected_calibration_error"]) is not None:
            self.stdout.write(f"expected calibration error {error:.4f}")
        self.stdout.write(f"{version.label}: {stores.encoders().place}/{version.files}, report/report.html in it")


def _add_option(parser: argparse.ArgumentParser, knob: Knob) -> None:
    flag = f"--{knob.name.replace('_', '-')}"
    if knob.kind is bool:
        parser.add_argument(flag, action="store_true", help=knob.help)
        return
    default = "" if knob.default in (None, "") else f" Default: {knob.default}"
    if default and knob.siamese_default not in (knob.default, ""):
        default += f"; for a Siamese network {knob.siamese_default}"
    parser.add_argument(flag, type=_parsed(knob), choices=knob.choices or None, help=f"{knob.help}{default}")


def _parsed(knob: Knob) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return knob.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _named_backbone(name: str) -> str:
    """The handle of a name, and never a path or an address that somebody sent. Raises BackboneUnavailable."""
    handle: str | None = settings.BACKBONES.get(name)
    if handle is None:
        raise BackboneUnavailable(f"this worker's BACKBONES has no {name!r}: it has {', '.join(settings.BACKBONES)}")
    return handle


def _handle_of(given: str) -> str:
    """What the operator gave, names of BACKBONES replaced by their handles; of several backbones each one's."""
    if given in settings.BACKBONES:
        return str(settings.BACKBONES[given])
    return JOIN.join(settings.BACKBONES.get(name, name) for name in given.split(JOIN))


def _train_version(
    collection: Collection, options: dict[str, Any], on_progress: ProgressCallback
) -> tuple[TrainedEncoder, EncoderVersion]:
    require_tensorflow()
    from training.service import PhotoSource, train_version

    source = PhotoSource(options["data"], options.get("validation"), options.get("metadata"))
    return train_version(
        collection, source, TrainingConfig.from_options(options), on_progress=on_progress, keras_file=options.get("out")
    )


def _job_result(job: Job, options: dict[str, Any], on_progress: ProgressCallback) -> dict[str, Any]:
    trained, version = _train_version(versions.find_collection(job.collection), options, on_progress)
    result = _result(trained, version, activated=False)
    if options["activate"]:
        try:
            versions.activate(version, on_progress=on_progress)
            result["activated"] = True
        except WorseEncoder as error:
            result["not_activated"] = str(error)
    elif options.get("prepare"):
        try:
            result["photos"] = versions.prepare(version, on_progress=on_progress)
        except EmbeddingsError as error:
            # The version is whole: its page offers to embed again.
            result["not_prepared"] = str(error)
    return result


def _result(trained: TrainedEncoder, version: EncoderVersion, *, activated: bool) -> dict[str, Any]:
    """For JSON: a job's result, and what --json prints."""
    return {
        "encoder": version.label,
        "fingerprint": trained.fingerprint,
        "dim": trained.dim,
        "activated": activated,
        "recipe": dict(trained.recipe),
        "data": dict(trained.data),
        "problems": list(trained.problems),
        "figures": {
            result.name: {**result.metrics.as_dict(), "gallery": len(result.gallery.photos)}
            for result in trained.results
        },
        "head_seconds": round(sum(epoch["seconds"] for epoch in trained.metrics["curve"]), 2),
        "expected_calibration_error": trained.metrics["expected_calibration_error"],
        **trained.figures,
    }
