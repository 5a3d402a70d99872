"""manage.py reindex: bring the vector index in line with the database, with no gap in what it answers."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from embeddings import jobs, rebuild, services
from embeddings.errors import EmbeddingsError, IndexLocked, UnknownCollection
from embeddings.management.progress import stage_bars
from embeddings.models import EncoderVersion, ImageEmbedding, Job
from embeddings.selectors import TO_DO, active_versions, rows_of_active_versions
from jobs.progress import Tell, counted

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
            "--verify", action="store_true", help="compare the live index with the database, report and repair"
        )
        mode.add_argument("--rebuild", action="store_true", help="embed every photo again, as a new encoder version")
        mode.add_argument("--job", type=UUID, metavar="ID", help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        if options["job"]:
            # What is left to index waits in the outbox, whatever becomes of this process.
            if jobs.work_off(options["job"], self._renewed):
                with stage_bars() as tell:
                    self._drain(tell)
            return
        versions = [v for v in active_versions() if options["collection"] in (None, v.collection.slug)]
        if not versions:
            raise CommandError(f"There is no collection {options['collection']!r} with an active encoder version.")
        work = next((mode for mode in ("only_missing", "verify", "rebuild") if options[mode]), "reindex")
        try:
            with stage_bars() as tell:
                for version in versions:
                    getattr(self, f"_{work}")(version, tell)
        except EmbeddingsError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Nothing is lost: run the same command again to go on.", returncode=130
            ) from None
        chosen = [version.collection_id for version in versions]
        # Asked for anew: a renewal has put another version into its place.
        failed = [v for v in active_versions() if v.collection_id in chosen and self._report_failures(v)]
        if failed:
            raise CommandError("Some photos could not be embedded; the reasons are in the admin and above.")

    def _renewed(self, job: Job, tell: Tell) -> dict[str, Any]:
        version = next((v for v in active_versions() if v.collection_id == job.collection_id), None)
        if version is None:
            raise UnknownCollection("the collection has no active encoder version any more")
        points = self._renew(version, tell)
        tell("indexing", points, points)
        return _result(version, points)

    def _reindex(self, version: EncoderVersion, tell: Tell) -> None:
        started_at = timezone.now()
        points = self._renew(version, tell)
        jobs.record(Job.Kind.REINDEX, version.collection, started_at, points, _result(version, points))
        self._drain(tell)

    def _renew(self, version: EncoderVersion, tell: Tell) -> int:
        rebuild.enrol_missing(version)
        rebuild.dismiss_orphans(version)
        rebuild.retry_failed(version)
        self._embed(version, tell)
        return self._build(version, tell)

    def _rebuild(self, version: EncoderVersion, tell: Tell) -> None:
        started_at = timezone.now()
        version = rebuild.next_version(version.collection, version.encoder)
        rebuild.enrol_missing(version)
        self._embed(version, tell, anew=True)
        points = self._build(version, tell)
        jobs.record(Job.Kind.REINDEX, version.collection, started_at, points, _result(version, points))
        self._drain(tell)

    def _only_missing(self, version: EncoderVersion, tell: Tell) -> None:
        rebuild.enrol_missing(version)
        rebuild.retry_failed(version)
        self._drain(tell)

    def _verify(self, version: EncoderVersion, tell: Tell) -> None:
        report = rebuild.verify(version)
        self.stdout.write(
            f"{version.label}: {report.missing} missing, {report.stale} stale, {report.orphaned} orphaned; repaired"
        )
        self._drain(tell)

    def _embed(self, version: EncoderVersion, tell: Tell, *, anew: bool = False) -> None:
        rows = ImageEmbedding.objects.filter(version=version, state=State.PENDING)
        services.embed_pending(version, on_progress=counted(tell, "embedding", rows.count()), anew=anew)

    def _build(self, version: EncoderVersion, tell: Tell) -> int:
        rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False).exclude(state=State.REMOVED)
        count = rebuild.rebuild(version, on_progress=counted(tell, "indexing", rows.count()))
        self.stdout.write(f"{version.label}: {count} points in a new index, now live")
        return count

    def _drain(self, tell: Tell) -> None:
        waiting = rows_of_active_versions().filter(state__in=TO_DO)
        try:
            report = services.drain(on_progress=counted(tell, "indexing what changed", waiting.count()))
        except IndexLocked as error:
            self.stdout.write(f"{waiting.count()} photos wait for the process that holds the index: {error}")
        else:
            self.stdout.write(f"{report.embedded} embedded, {report.indexed} indexed, {report.removed} removed")

    def _report_failures(self, version: EncoderVersion) -> bool:
        failures = ImageEmbedding.objects.filter(version=version, state__in=(State.FAILED, State.PENDING)).exclude(
            error=""
        )
        for image_id, error in failures.order_by("pk").values_list("image_id", "error")[:20]:
            self.stderr.write(f"image {image_id}: {error}")
        return failures.exists()


def _result(version: EncoderVersion, points: int) -> dict[str, Any]:
    """For JSON."""
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).count()
    return {"encoder": version.label, "points": points, "failed": failed}
