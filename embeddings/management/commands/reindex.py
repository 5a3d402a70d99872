"""manage.py reindex: bring the vector index in line with the database, with no gap in what it answers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from embeddings.backends import BUNDLED_ENCODERS
from embeddings.errors import EmbeddingsError, IndexLocked, UnknownCollection
from embeddings.generations import build_generation
from embeddings.indexing import IndexingReport, embed_pending, process_outbox
from embeddings.management.errors import command_error
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.outbox import ensure_all_rows, mark_orphans, retry_failed
from embeddings.selectors import DUE_STATES, active_rows, active_versions
from embeddings.submissions import REINDEX, VERIFY
from embeddings.text_indexing import process_texts
from embeddings.verification import VerificationReport, verify
from embeddings.versions import active_version_of, version_to_rebuild
from jobs import execution
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars
from jobs.services import record_finished

State = ImageEmbedding.State


class Command(BaseCommand):
    help = (
        "Embed what is not embedded and build a new index beside the live one, then switch to it. "
        "Can be interrupted and run again. "
        "The exit status is not 0 when a photo failed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", help="only this collection (its slug); default: all of them")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--only-missing", action="store_true", help="embed and index into the live index what is not in it yet"
        )
        mode.add_argument(
            "--verify",
            action="store_true",
            help="compare the live index with the database, report and repair; a running server that holds the index does it",
        )
        mode.add_argument(
            "--rebuild",
            action="store_true",
            help="embed every photo again, as a new encoder version; an encoder of the project is exchanged for DEFAULT_ENCODER",
        )
        mode.add_argument("--job", type=UUID, metavar="ID", help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        if options["job"]:
            # What is left to index waits in the outbox, whatever becomes of this process.
            if execution.execute(options["job"], self._run_job, failures=(EmbeddingsError,)):
                with stage_bars() as on_progress:
                    self._process_outbox(on_progress)
            return
        modes: dict[str, Callable[[EncoderVersion, ProgressCallback], None]] = {
            "only_missing": self._only_missing,
            "verify": self._verify,
            "rebuild": self._rebuild,
        }
        work = next((work for mode, work in modes.items() if options[mode]), self._reindex)
        try:
            versions = [active_version_of(options["collection"])] if options["collection"] else active_versions()
            if not versions:
                raise UnknownCollection("no collection has an active encoder version")
            with stage_bars() as on_progress:
                for version in versions:
                    work(version, on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Nothing is lost: run the same command again to go on.", returncode=130
            ) from None
        chosen = [version.collection_id for version in versions]
        # Read again: a rebuild has put another version into its place.
        failed = [v for v in active_versions() if v.collection_id in chosen and self._report_failures(v)]
        if failed:
            raise CommandError("Some photos could not be embedded; the reasons are in the admin and above.")

    def _run_job(self, job: Job, on_progress: ProgressCallback) -> dict[str, Any]:
        version = next((v for v in active_versions() if v.collection.slug == job.collection), None)
        if version is None:
            raise UnknownCollection("the collection has no active encoder version any more")
        if job.kind == VERIFY:
            return _verification_result(version, verify(version, on_progress))
        points = self._embed_and_build(version, on_progress)
        on_progress("indexing", points, points)
        return _result(version, points)

    def _reindex(self, version: EncoderVersion, on_progress: ProgressCallback) -> None:
        started_at = timezone.now()
        points = self._embed_and_build(version, on_progress)
        _record(version, started_at, points)
        self._process_outbox(on_progress)

    def _embed_and_build(self, version: EncoderVersion, on_progress: ProgressCallback) -> int:
        ensure_all_rows(version)
        mark_orphans(version)
        retry_failed(version)
        embed_pending(version, on_progress=on_progress)
        return self._build(version, on_progress)

    def _rebuild(self, version: EncoderVersion, on_progress: ProgressCallback) -> None:
        started_at = timezone.now()
        # One that came with the project follows the setting; one that was trained or added is the collection's own.
        encoder = settings.DEFAULT_ENCODER if version.encoder in BUNDLED_ENCODERS else version.encoder
        version = version_to_rebuild(version.collection, encoder)
        ensure_all_rows(version)
        embed_pending(version, on_progress=on_progress, reuse_vectors=False)
        points = self._build(version, on_progress)
        _record(version, started_at, points)
        self._process_outbox(on_progress)

    def _only_missing(self, version: EncoderVersion, on_progress: ProgressCallback) -> None:
        ensure_all_rows(version)
        retry_failed(version)
        self._process_outbox(on_progress)

    def _verify(self, version: EncoderVersion, on_progress: ProgressCallback) -> None:
        started_at = timezone.now()
        report = verify(version, on_progress)
        self.stdout.write(
            f"{version.label}: {report.missing} missing, {report.stale} stale, {report.orphaned} orphaned"
            f"{'; repaired' if report.found else ''}"
        )
        record_finished(
            VERIFY,
            collection=version.collection.slug,
            started_at=started_at,
            done=ImageEmbedding.objects.filter(version=version).count(),
            result=_verification_result(version, report),
        )
        self._process_outbox(on_progress)

    def _build(self, version: EncoderVersion, on_progress: ProgressCallback) -> int:
        points = build_generation(version, on_progress)
        self.stdout.write(f"{version.label}: {points} points in a new index, now live")
        return points

    def _process_outbox(self, on_progress: ProgressCallback) -> None:
        try:
            report = process_outbox(on_progress=on_progress)
            process_texts()
        except IndexLocked as error:
            waiting = active_rows().filter(state__in=DUE_STATES).count()
            self.stdout.write(f"{waiting} photos wait for the process that holds the index: {error}")
        else:
            self.stdout.write("nothing is left to index" if report == IndexingReport() else str(report))

    def _report_failures(self, version: EncoderVersion) -> bool:
        failures = ImageEmbedding.objects.filter(version=version, state__in=(State.FAILED, State.PENDING)).exclude(
            error=""
        )
        for image_id, error in failures.order_by("pk").values_list("image_id", "error")[:20]:
            self.stderr.write(f"image {image_id}: {error}")
        return failures.exists()


def _record(version: EncoderVersion, started_at: datetime, points: int) -> None:
    slug = version.collection.slug
    record_finished(REINDEX, collection=slug, started_at=started_at, done=points, result=_result(version, points))


def _verification_result(version: EncoderVersion, report: VerificationReport) -> dict[str, Any]:
    """For JSON."""
    return {"encoder": version.label, **asdict(report)}


def _result(version: EncoderVersion, points: int) -> dict[str, Any]:
    """For JSON."""
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).count()
    return {"encoder": version.label, "points": points, "failed": failed}
