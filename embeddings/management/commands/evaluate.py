"""manage.py evaluate: how well encoders find photos of the same class, or of the same product."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from embeddings import versions
from embeddings.backends import BUNDLED_ENCODERS, get_encoder
from embeddings.dataset import read_photos
from embeddings.encoders.base import Encoder
from embeddings.errors import EmbeddingsError
from embeddings.evaluation.live import catalogue_photos
from embeddings.evaluation.metrics import METRICS
from embeddings.evaluation.protocols import (
    EvaluationResult,
    EvaluationSplit,
    calibration_check,
    evaluate_encoder,
    report_on,
)
from embeddings.evaluation.report import drawing, write_report
from embeddings.evaluation.suite import find_sets, run_suite
from embeddings.management.errors import command_error
from jobs import arguments
from product_files.containers.archives import ArchiveRejected

BACKBONE = "backbone"
# What goes with one set of photos, not with the suite.
_ONE_SET = ("queries", "gallery", "metadata", "one_view", "report")
ACTIVE = "active"


class Command(BaseCommand):
    help = (
        "Recall@1/5/10 (hit rate), Precision@10, mAP, mAP@R and nDCG@10 by cosine, with 95% confidence intervals, over photos in "
        "folders or a zip (folder = class), over the photos of a collection, or (--suite) over every set of photos in a folder."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--queries", type=arguments.existing_path, help="folder or zip of query photos, one folder a class"
        )
        parser.add_argument(
            "--gallery",
            type=arguments.existing_path,
            help="of gallery photos; without it each query's gallery is the other queries",
        )
        parser.add_argument(
            "--metadata", type=arguments.existing_path, help="CSV of the queries with file, product_id and category"
        )
        parser.add_argument(
            "--collection", help="without --queries: evaluate with this collection's photos in the catalogue"
        )
        parser.add_argument(
            "--level", choices=("class", "product"), default="class", help="what has to be found (default: %(default)s)"
        )
        parser.add_argument(
            "--one-view", action="store_true", help="by product: one photo of each product against all other photos"
        )
        parser.add_argument(
            "--encoder",
            help=f"{', '.join(BUNDLED_ENCODERS)}, a version such as fashion-v2, or a .tflite file;"
            " default: the active or default one",
        )
        parser.add_argument(
            "--against",
            action="append",
            default=[],
            metavar="ENCODER",
            help=f"show beside it: an encoder, `{ACTIVE}` (the collection's), or `{BACKBONE}` (what the version was trained on)",
        )
        parser.add_argument(
            "--suite",
            type=arguments.path,
            nargs="?",
            const=settings.REAL_DATA or Path(),
            metavar="DIR",
            help="evaluate on every set of photos in DIR (default: the setting REAL_DATA) and print one table",
        )
        parser.add_argument("--report", type=arguments.path, metavar="DIR", help="write a report in HTML and Markdown")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, **options: Any) -> None:
        if options["suite"] is not None:
            try:
                self._suite(options)
            except (EmbeddingsError, ValueError) as error:
                raise command_error(error) from error
            return
        try:
            if options["report"] is not None:
                drawing()
            with tempfile.TemporaryDirectory(prefix="photos-") as unpacked:
                results = self._results(options, Path(unpacked))
                checked = self._report(options, results) if options["report"] is not None else None
        except (EmbeddingsError, ArchiveRejected, ValueError) as error:
            raise command_error(error) from error
        first = results[0]
        if options["json"]:
            figures = first.figures()
            figures["against"] = [result.figures() for result in results[1:]]
            self.stdout.write(json.dumps(figures))
            return
        rejected = dict([*first.queries.rejected, *first.gallery.rejected])
        for name, reason in rejected.items():
            self.stderr.write(f"left out {name}: {reason}")
        self._print(results)
        if checked is not None:
            self.stdout.write(f"report: {checked}")

    def _results(self, options: dict[str, Any], unpacked: Path) -> list[EvaluationResult]:
        photos = _split(options, unpacked)
        names = [
            options["encoder"] or (ACTIVE if options["collection"] else settings.DEFAULT_ENCODER),
            *options["against"],
        ]
        encoders = [_encoder(name, names[0], options["collection"] or "all") for name in names]
        return [evaluate_encoder(name, encoder, photos) for name, encoder in zip(names, encoders, strict=True)]

    def _suite(self, options: dict[str, Any]) -> None:
        given = [name for name in _ONE_SET if options[name]]
        if given:
            raise ValueError(
                f"--suite finds its photos itself: leave out {', '.join(f'--{_dashed(name)}' for name in given)}"
            )
        if options["suite"] == Path():
            raise ValueError("say where the sets of photos are: --suite DIR, or the variable REAL_DATA")
        names = list(dict.fromkeys([options["encoder"] or settings.DEFAULT_ENCODER, *options["against"]]))
        encoders = {name: _encoder(name, names[0], options["collection"] or "all") for name in names}
        rows = []
        if not options["json"]:
            self.stdout.write(
                _suite_line("set", "find", "used for", "queries", "gallery", "encoder", "Recall@1", "mAP")
            )
        for row in run_suite(find_sets(options["suite"]), encoders):
            result = row.result
            rows.append({"set": row.set.name, "level": row.set.level, "used_for": row.used_for, **result.figures()})
            if not options["json"]:
                self.stdout.write(
                    _suite_line(
                        row.set.name, row.set.level, row.used_for, result.metrics.queries, len(result.gallery.photos), result.name,
                        *(_with_interval(result, name) for name in ("recall_at_1", "mean_average_precision")),
                    )
                )  # fmt: skip
                self.stdout.flush()
        if options["json"]:
            self.stdout.write(json.dumps(rows))

    def _report(self, options: dict[str, Any], results: list[EvaluationResult]) -> Path:
        first = results[0]
        facts = {
            "encoder": first.name,
            "fingerprint": first.fingerprint,
            "queries": len(first.queries.photos),
            "gallery": "the other queries" if first.gallery is first.queries else len(first.gallery.photos),
            "level": "product" if options["one_view"] else options["level"],
        }
        try:
            checked = calibration_check(first.queries)
        except ValueError:
            # Too few pairs to say anything of confidence; the report is without it.
            checked = None
        return write_report(
            report_on(f"Evaluation of {first.name}", results, facts=facts, calibration=checked), options["report"]
        )

    def _print(self, results: list[EvaluationResult]) -> None:
        for result in results:
            self.stdout.write(
                f"{result.name}: {result.metrics.queries} queries, gallery of {len(result.gallery.photos)},"
                f" model {result.fingerprint[:12]}"
            )
            figures = result.metrics.as_dict()
            for name, title in METRICS.items():
                low, high = result.intervals[name]
                self.stdout.write(f"{title:>12}  {figures[name]:.4f}  ({low:.4f} to {high:.4f})")
        if len(results[0].per_class) > 1:
            self.stdout.write(f"{'class':>32}  queries  Recall@1     mAP")
            for name, metrics in results[0].per_class.items():
                self.stdout.write(
                    f"{name[-32:]:>32}  {metrics.queries:>7}  {metrics.recall_at_1:8.4f}  {metrics.mean_average_precision:.4f}"
                )


def _suite_line(*cells: object) -> str:
    widths = (-22, -8, -9, 8, 8, -14, 23, 23)
    return "  ".join(
        str(cell).ljust(-width) if width < 0 else str(cell).rjust(width)
        for cell, width in zip(cells, widths, strict=True)
    ).rstrip()


def _with_interval(result: EvaluationResult, name: str) -> str:
    low, high = result.intervals[name]
    return f"{result.metrics.as_dict()[name]:.3f} ({low:.3f} to {high:.3f})"


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _split(options: dict[str, Any], unpacked: Path) -> EvaluationSplit:
    if options["queries"] is not None:
        queries = read_photos(options["queries"], options["metadata"], unpacked / "queries")
    elif options["collection"] is not None:
        queries = catalogue_photos(versions.active_version_of(options["collection"]))
    else:
        raise ValueError("say what to evaluate with: --queries DIR or --collection SLUG")
    gallery = read_photos(options["gallery"], None, unpacked / "gallery") if options["gallery"] else None
    if options["one_view"]:
        return EvaluationSplit.one_view(queries)
    if options["level"] == "product":
        return EvaluationSplit(queries.of_products(), None if gallery is None else gallery.of_products())
    return EvaluationSplit(queries.of_classes(), None if gallery is None else gallery.of_classes())


def _encoder(name: str, first: str, collection_slug: str) -> Encoder:
    """An encoder by any of the names that the command takes."""
    if name == ACTIVE:
        return get_encoder(versions.active_version_of(collection_slug).encoder)
    if name == BACKBONE:
        return get_encoder(versions.backbone_of(versions.find_version(first)))
    if name in BUNDLED_ENCODERS or name.endswith(".tflite"):
        return get_encoder(name)
    return get_encoder(versions.find_version(name).encoder)
