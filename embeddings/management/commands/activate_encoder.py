"""manage.py activate_encoder: put an encoder version into use, with no gap in what the index answers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from embeddings import background, versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from jobs import execution
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars


class Command(BaseCommand):
    help = (
        "Embed the collection with a version of its encoder into an index beside the live one, then switch. Refuses a version that "
        "finds the catalogue's own categories worse than the live one. Can be interrupted and run again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("version", nargs="?", help="such as fashion-v2; the admin and manage.py train name them")
        parser.add_argument(
            "--allow-worse", action="store_true", help="activate it even where it is worse than the live one"
        )
        parser.add_argument(
            "--prepare",
            action="store_true",
            help="only embed the collection, to compare the version in the admin first",
        )
        parser.add_argument("--job", type=UUID, help=argparse.SUPPRESS)

    def handle(self, *, version: str | None, allow_worse: bool, prepare: bool, job: UUID | None, **_: Any) -> None:
        if job is not None:
            # What is left to index waits in the outbox, whatever becomes of this process.
            if execution.execute(job, _run_job, failures=(EmbeddingsError,)):
                _finish()
            return
        if version is None:
            raise CommandError("Which version? Name one, such as fashion-v2: the admin and manage.py train name them.")
        try:
            with stage_bars() as on_progress:
                if prepare:
                    photos = versions.prepare(versions.find_version(version), on_progress=on_progress)
                    self.stdout.write(f"{photos} photos are embedded by {version}, which is not active")
                    return
                done = versions.activate(
                    versions.find_version(version), allow_worse=allow_worse, on_progress=on_progress
                )
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: the live version goes on. Run it again to finish.", returncode=130
            ) from None
        _finish()
        if done.comparison is not None:
            live, candidate = done.comparison.live, done.comparison.candidate
            self.stdout.write(
                f"on the catalogue's categories: mAP {candidate.mean_average_precision:.4f}, was {live.mean_average_precision:.4f};"
                f" Recall@1 {candidate.recall_at_1:.4f}, was {live.recall_at_1:.4f}"
            )
        elif done.comparison_error:
            self.stdout.write(f"not compared with the live version: {done.comparison_error}")
        self.stdout.write(f"{done.version.label} is active, with {done.points} points")
        if done.failed:
            raise CommandError(f"{done.failed} photos could not be embedded; the reasons are in the admin.")


def _run_job(job: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    """The result of a job's activation, for JSON."""
    version = versions.find_version(job.parameters["version"])
    if job.parameters.get("prepare"):
        return {"encoder": version.label, "photos": versions.prepare(version, on_progress=on_progress)}
    done = versions.activate(version, allow_worse=job.parameters["allow_worse"], on_progress=on_progress)
    return {
        "encoder": done.version.label,
        "points": done.points,
        "failed": done.failed,
        "comparison": None if done.comparison is None else asdict(done.comparison),
    }


def _finish() -> None:
    """What changed in the catalogue meanwhile is in the outbox."""
    background.wake_outbox()
    background.process_pending_outbox()
