"""manage.py reindex: bring the vector index in line with the database, with no gap in what it answers."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from embeddings import rebuild, services
from embeddings.errors import EmbeddingsError, IndexLocked
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.selectors import active_versions

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

    def handle(self, **options: Any) -> None:
        versions = [v for v in active_versions() if options["collection"] in (None, v.collection.slug)]
        if not versions:
            raise CommandError(f"There is no collection {options['collection']!r} with an active encoder version.")
        work = next((mode for mode in ("only_missing", "verify", "rebuild") if options[mode]), "reindex")
        try:
            for version in versions:
                getattr(self, f"_{work}")(version)
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

    def _reindex(self, version: EncoderVersion) -> None:
        rebuild.enrol_missing(version)
        rebuild.dismiss_orphans(version)
        rebuild.retry_failed(version)
        self._embed(version)
        self._build(version)
        self._drain()

    def _rebuild(self, version: EncoderVersion) -> None:
        version = rebuild.next_version(version.collection, version.encoder)
        rebuild.enrol_missing(version)
        self._embed(version, anew=True)
        self._build(version)
        self._drain()

    def _only_missing(self, version: EncoderVersion) -> None:
        rebuild.enrol_missing(version)
        rebuild.retry_failed(version)
        self._drain()

    def _verify(self, version: EncoderVersion) -> None:
        report = rebuild.verify(version)
        self.stdout.write(
            f"{version.label}: {report.missing} missing, {report.stale} stale, {report.orphaned} orphaned; repaired"
        )
        self._drain()

    def _embed(self, version: EncoderVersion, *, anew: bool = False) -> None:
        rows = ImageEmbedding.objects.filter(version=version, state=State.PENDING)
        with _bar(rows.count(), "embedding", "photo") as bar:
            services.embed_pending(version, on_progress=bar.update, anew=anew)

    def _build(self, version: EncoderVersion) -> None:
        rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False).exclude(state=State.REMOVED)
        with _bar(rows.count(), "indexing", "point") as bar:
            count = rebuild.rebuild(version, on_progress=bar.update)
        self.stdout.write(f"{version.label}: {count} points in a new index, now live")

    def _drain(self) -> None:
        waiting = ImageEmbedding.objects.filter(version__in=active_versions(), state__in=services.TO_DO)
        try:
            with _bar(waiting.count(), "indexing", "photo") as bar:
                report = services.drain(on_progress=bar.update)
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


def _bar(total: int, what: str, unit: str) -> tqdm[Any]:
    """A progress bar with rate and time left on a terminal, silence off it."""
    return tqdm(total=total, desc=what, unit=unit, disable=None if total else True)
