"""manage.py train: fine-tune an encoder for a collection on a shop's own photos, or train a Siamese network from scratch."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from catalog.archives import ArchiveRejected
from embeddings import jobs, versions
from embeddings.backends import get_encoder
from embeddings.dataset import read_photos
from embeddings.errors import BackboneUnavailable, EmbeddingsError, WorseEncoder
from embeddings.evaluation.live import catalogue_photos
from embeddings.evaluation.metrics import METRICS
from embeddings.evaluation.report import drawing
from embeddings.management.progress import stage_bars
from embeddings.management.tensorflow import require_tensorflow
from embeddings.models import Collection, EncoderVersion
from embeddings.training.config import DISTANCES, LOSSES, MINING
from jobs.progress import ProgressCallback
from jobs.storage import StorageUnavailable, reason_of

if TYPE_CHECKING:
    from embeddings.training.fine_tune import FineTuned, Plan

HEAD_OPTIONS = ("loss", "margin", "distance", "mining", "dim", "hidden", "temperature", "epochs", "patience", "seed")


class Command(BaseCommand):
    help = (
        "Fine-tune an encoder on photos (folder = class) or on the catalogue itself, and take it in as a new version of the "
        "collection. It serves nothing until it is activated. An interrupted training goes on when the same command runs again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--collection", default="all", help="slug; made over the whole catalogue where it is missing"
        )
        parser.add_argument(
            "--categories",
            default="",
            help="slug paths, comma-separated, that a collection is made over that is missing",
        )
        parser.add_argument(
            "--data", type=Path, help="folder or zip of photos; default: the collection's photos in the catalogue"
        )
        parser.add_argument("--validation", type=Path, help="folder or zip to validate with; default: a part of --data")
        parser.add_argument(
            "--metadata", type=Path, help="CSV with file, product_id and category (default: metadata.csv in the folder)"
        )
        parser.add_argument(
            "--fraction", type=float, default=0.15, help="share of photos to validate with (%(default)s)"
        )
        parser.add_argument("--by-product", action="store_true", help="each product is a class of its own")
        parser.add_argument(
            "--backbone",
            help="bundled (default); a name from BACKBONES; keras:NAME; a .keras file; a SavedModel's folder or archive; a URL."
            " A Siamese network is trained from scratch without one",
        )
        parser.add_argument("--weights", type=Path, help="weights file for keras:NAME")
        parser.add_argument("--input-size", type=int, help="pixels, for backbones that leave it open")
        parser.add_argument("--views", type=int, default=10, help="augmented views of each photo (%(default)s)")
        parser.add_argument(
            "--unfreeze", type=int, default=0, help="last layers of the backbone to train too (%(default)s)"
        )
        parser.add_argument("--unfreeze-epochs", type=int, default=3, help="epochs of that (%(default)s)")
        parser.add_argument("--loss", choices=LOSSES, help=f"default: {LOSSES[0]}; of a Siamese network triplet")
        parser.add_argument("--margin", type=_margin, help='of arcface, contrastive and triplet; "soft" for triplet')
        parser.add_argument("--distance", choices=DISTANCES, help="of contrastive and triplet (l2)")
        parser.add_argument("--mining", choices=MINING, help="of triplet")
        parser.add_argument("--dim", type=int, help="length of the embedding (256; of a Siamese network 64)")
        parser.add_argument("--hidden", type=int, help="width of the layer before the feature vector; 0: none (1024)")
        parser.add_argument("--temperature", type=float, help="of the cosine softmax (0.2)")
        parser.add_argument("--epochs", type=int, help="at most (80; of a Siamese network 6)")
        parser.add_argument("--patience", type=int, help="epochs without a better validation mAP before it ends (20)")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--activate", action="store_true", help="make the new version the active one")
        parser.add_argument("--allow-worse", action="store_true", help="with --activate: even where it is worse")
        parser.add_argument(
            "--siamese",
            action="store_true",
            help="a Siamese network, from scratch on --data (digits or folders of photos)",
        )
        parser.add_argument("--out", type=Path, help="with --siamese: the .keras file to write")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument("--job", type=UUID, help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        try:
            if options["job"] is not None:
                self._work_off(options["job"])
            elif options["siamese"]:
                self._siamese(options)
            else:
                self._train(options)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Run the same command again to go on where it stopped.", returncode=130
            ) from None
        except (EmbeddingsError, ArchiveRejected, ValueError, StorageUnavailable) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"{place}{reason_of(error)}, then run the same command again to go on.") from error

    def _train(self, options: dict[str, Any]) -> None:
        categories = [path.strip() for path in options["categories"].split(",") if path.strip()]
        with stage_bars() as tell:
            collection, made = versions.ensure_collection(options["collection"], categories)
            try:
                tuned, version = _fine_tune(collection, options, tell)
            except BaseException:
                if made:
                    collection.delete()
                raise
            activation = (
                versions.activate(version, allow_worse=options["allow_worse"], on_progress=tell)
                if options["activate"]
                else None
            )
        if options["json"]:
            self.stdout.write(json.dumps(_result(tuned, version, activated=activation is not None)))
            return
        self._print(tuned, version)
        if activation is None:
            self.stdout.write(f"To use it: manage.py activate_encoder {version.label}")
        else:
            self.stdout.write(f"{version.label} is active, with {activation.points} points")

    def _work_off(self, job_id: UUID) -> None:
        """A job's training, as the child of whoever runs the job."""
        job = jobs.get_job(job_id)
        jobs.start(job)

        def tell(stage: str, done: int, total: int) -> None:
            jobs.progress(job, stage, done, total)

        options = {**_defaults(), **job.parameters, "data": jobs.upload_path(job)}
        try:
            options["backbone"] = _named_backbone(options["backbone"])
            tuned, version = _fine_tune(Collection.objects.get(jobs=job), options, tell)
            result = _result(tuned, version, activated=False)
            if options["activate"]:
                try:
                    versions.activate(version, on_progress=tell)
                    result["activated"] = True
                except WorseEncoder as error:
                    result["not_activated"] = str(error)
        except (EmbeddingsError, ArchiveRejected, ValueError) as error:
            reason = str(error).replace(options["backbone"], job.parameters.get("backbone", options["backbone"]))
            jobs.fail(job, reason)
            return
        except StorageUnavailable as error:
            jobs.fail_for_storage(job, error)
            return
        except OSError as error:
            jobs.fail_for_files(job, error)
            return
        except MemoryError:
            jobs.fail(job, "the memory does not suffice for this training: send fewer photos")
            return
        jobs.succeed(job, result)

    def _print(self, tuned: FineTuned, version: EncoderVersion) -> None:
        for problem in tuned.problems:
            self.stderr.write(f"note: {problem}")
        width = max(len(outcome.name) for outcome in tuned.outcomes)
        self.stdout.write(" ".join([" " * width, *(f"{title:>13}" for title in METRICS.values())]))
        for outcome in tuned.outcomes:
            figures = outcome.metrics.as_dict()
            self.stdout.write(" ".join([f"{outcome.name:<{width}}", *(f"{figures[name]:>13.4f}" for name in METRICS)]))
        seconds = sum(epoch["seconds"] for epoch in tuned.metrics["curve"])
        self.stdout.write(f"head trained in {seconds:.1f} s, best epoch {tuned.recipe['best_epoch']}")
        if (error := tuned.metrics["expected_calibration_error"]) is not None:
            self.stdout.write(f"expected calibration error {error:.4f}")
        self.stdout.write(f"{version.label}: {settings.ENCODERS_ROOT / version.files}, report/report.html in it")

    def _siamese(self, options: dict[str, Any]) -> None:
        require_tensorflow()
        if options["data"] is None:
            raise ValueError("--siamese needs --data: a folder of digits or a folder of photos (folder = class)")
        from embeddings.training import siamese_command

        source = None
        if options["backbone"] is not None:
            handle = settings.BACKBONES.get(options["backbone"], options["backbone"])
            source = siamese_command.FrozenFeatures(handle, options["weights"], options["input_size"])
        wanted = {name: options[name] for name in ("loss", "margin", "distance", "mining", "epochs", "seed", "dim")}
        figures = siamese_command.run(
            options["data"], {name: value for name, value in wanted.items() if value is not None}, options["out"],
            settings.DATA_DIR / "training" / "siamese", lambda line: self.stderr.write(line), source,
        )  # fmt: skip
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for name, value in figures.items():
            self.stdout.write(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")


def _defaults() -> dict[str, Any]:
    parser = Command().create_parser("manage.py", "train")
    return vars(parser.parse_args([]))


def _named_backbone(name: str) -> str:
    """The handle of a name, and never a path or an address that somebody sent. Raises BackboneUnavailable."""
    handle: str | None = settings.BACKBONES.get(name)
    if handle is None:
        raise BackboneUnavailable(f"this worker's BACKBONES has no {name!r}: it has {', '.join(settings.BACKBONES)}")
    return handle


def _margin(text: str) -> float | str:
    return text if text == "soft" else float(text)


def _fine_tune(
    collection: Collection, options: dict[str, Any], tell: ProgressCallback
) -> tuple[FineTuned, EncoderVersion]:
    require_tensorflow()
    drawing()
    from embeddings.training.fine_tune import MODEL, fine_tune

    root: Path = settings.ENCODERS_ROOT
    root.mkdir(parents=True, exist_ok=True)
    cache = settings.DATA_DIR / "training" / collection.slug
    cache.mkdir(parents=True, exist_ok=True)
    folder = versions.new_folder()
    try:
        with _unpacking(cache) as unpacked:
            plan = _plan(collection, options, unpacked)
            tuned = fine_tune(plan, folder=folder, root=root, cache=cache, tell=tell)
        version = versions.register_version(
            collection, folder, MODEL, recipe=tuned.recipe, data=tuned.data, metrics=tuned.metrics, calibration=tuned.calibration,
        )  # fmt: skip
    finally:
        versions.discard(folder)
    (cache / "head.npz").unlink(missing_ok=True)
    return tuned, version


@contextlib.contextmanager
def _unpacking(cache: Path) -> Iterator[Path]:
    """A folder to unpack photos in. What trainings that were killed have left there goes first, unless one runs beside this."""
    with (cache / ".lock").open("w") as lock:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in cache.glob("photos-*"):
                shutil.rmtree(left, ignore_errors=True)
        fcntl.flock(lock, fcntl.LOCK_SH)
        with tempfile.TemporaryDirectory(prefix="photos-", dir=cache) as folder:
            yield Path(folder)


def _plan(collection: Collection, options: dict[str, Any], unpacked: Path) -> Plan:
    from embeddings.training.fine_tune import Plan
    from embeddings.training.heads import HeadOptions
    from embeddings.training.unfreezing import UnfreezeOptions

    backbone = options["backbone"] or "bundled"
    given = {name: options[name] for name in HEAD_OPTIONS if options[name] is not None}
    beside = []
    if collection.active_version is not None:
        active = collection.active_version
        beside.append((f"active ({active.label})", get_encoder(active.encoder)))
    if options["data"] is None:
        asked = collection.active_version or EncoderVersion(collection=collection)
        photos = catalogue_photos(asked)
    else:
        photos = read_photos(options["data"], options["metadata"], unpacked / "data")
    return Plan(
        photos=photos,
        validation=None
        if options["validation"] is None
        else read_photos(options["validation"], None, unpacked / "validation"),
        by_product=options["by_product"],
        fraction=options["fraction"],
        backbone=settings.BACKBONES.get(backbone, backbone),
        weights=options["weights"],
        input_size=options["input_size"],
        views=options["views"],
        head=HeadOptions(**given),
        unfreeze=UnfreezeOptions(options["unfreeze"], options["unfreeze_epochs"]) if options["unfreeze"] else None,
        beside=beside,
    )


def _result(tuned: FineTuned, version: EncoderVersion, *, activated: bool) -> dict[str, Any]:
    """For JSON: a job's result, and what --json prints."""
    return {
        "encoder": version.label,
        "fingerprint": tuned.fingerprint,
        "dim": tuned.dim,
        "activated": activated,
        "recipe": dict(tuned.recipe),
        "data": dict(tuned.data),
        "problems": list(tuned.problems),
        "figures": {
            outcome.name: {**outcome.metrics.as_dict(), "gallery": len(outcome.gallery.photos)}
            for outcome in tuned.outcomes
        },
        "head_seconds": round(sum(epoch["seconds"] for epoch in tuned.metrics["curve"]), 2),
        "expected_calibration_error": tuned.metrics["expected_calibration_error"],
    }
