"""manage.py find_duplicates: find products that may be one, for review in the admin."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from embeddings.duplicates import find_duplicates
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from jobs import execution
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars


class Command(BaseCommand):
    help = (
        "Compare the photos of all active products, and list those that may be one product in the admin, under Near-duplicates. "
        "Decided pairs are not proposed again. Safe to run at any time, beside a running server and every night."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", type=UUID, metavar="ID", help=argparse.SUPPRESS)

    def handle(self, *, job: UUID | None, **_: Any) -> None:
        if job is not None:
            execution.execute(job, _run_job, failures=(EmbeddingsError,))
            return
        try:
            with stage_bars() as on_progress:
                report = find_duplicates(on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: nothing was changed. Run it again.", returncode=130) from None
        changes = report.changes
        self.stdout.write(
            f"{report.photos} photos compared: {changes.open} open pairs, {changes.new} new, {changes.dropped} resolved"
        )
        if report.skipped:
            self.stdout.write(f"{report.skipped} photos were skipped: too many products share them")
        if report.unreadable:
            self.stdout.write(
                f"{report.unreadable} photos could not be read: see the failed image embeddings in the admin"
            )


def _run_job(_: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    """The result of a job's search, for JSON."""
    report = find_duplicates(on_progress)
    changes = report.changes
    return {
        "photos": report.photos,
        "pairs": changes.open,
        "new": changes.new,
        "dropped": changes.dropped,
        "left_out": report.skipped,
        "unreadable": report.unreadable,
    }
