"""manage.py run_import: the child process of an import that was submitted through the API or the admin."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from catalog.importers.feed_jobs import Arrived, fetch_feed, keep_validators, needs_download, not_changed_result
from catalog.importers.feeds import FeedNotChanged
from catalog.importers.report import ImportAborted, ImportReport
from catalog.importers.run import Checkpoint, ImportOptions, graceful_interrupt, run_import
from catalog.importers.scheduled_feeds import BASE
from catalog.importers.submission import rejected_name
from jobs import execution
from jobs.facts import fact_of, replaced
from jobs.files import local_upload
from jobs.models import Job
from jobs.progress import ProgressCallback
from jobs.selectors import get_job
from jobs.storage import StorageUnavailable
from product_files import file_facts
from product_files.containers.zipped_catalogue import ImportInterrupted
from product_files.rows import InvalidSource
from stores import base as stores
from stores.base import GrowingFile

MAX_PROBLEMS = 20
_KB = 1024


class Command(BaseCommand):
    help = (
        "Run an import submitted through the API or the admin, as a child process of the job runner; to import a file of this "
        "machine, run import_catalog. It can be interrupted after any row, and goes on behind the rows that are saved when the job "
        "is claimed again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", type=UUID, required=True, metavar="ID", help="the job, as in /api/jobs/<id>")

    def handle(self, *, job: UUID, **_: Any) -> None:
        row = get_job(job)
        execution.attach_to_runner(row)
        on_progress = execution.ProgressReporter(row)
        try:
            arrived = _fetch(row, on_progress)
            report = _run(row, on_progress)
        except FeedNotChanged:
            execution.succeed(row, not_changed_result())
        except InvalidSource as error:
            execution.fail(row, str(error))
        except (ImportAborted, StorageUnavailable) as error:
            execution.fail_with_storage_error(row, error)
        except OSError as error:
            execution.fail_with_os_error(row, error)
        except ImportInterrupted:
            _exit()
        else:
            if report.interrupted:
                _exit()
            if arrived is not None:
                keep_validators(row, arrived, report)
            _succeed(row, report, on_progress)


def _fetch(row: Job, on_progress: ProgressCallback) -> Arrived | None:
    """Download the file, if it is that of a feed and has not arrived yet."""
    if not needs_download(row):
        return None

    def report(received: int, announced: int) -> None:
        on_progress("downloading", received // _KB, announced // _KB)

    return fetch_feed(row, report)


def _run(row: Job, on_progress: ProgressCallback) -> ImportReport:
    """Import the upload of a job; its errors name it as its sender does."""
    checkpoint = Checkpoint.from_json(row.checkpoint) if row.checkpoint else None
    kept_bytes = checkpoint.rejected_bytes if checkpoint else 0
    path: Path | None = None
    try:
        with (
            graceful_interrupt() as should_stop,
            local_upload(row) as path,
            stores.uploads().growing(rejected_name(row), kept_bytes) as rejected,
        ):

            def save_checkpoint(reached: Checkpoint) -> None:
                # Whoever goes on from here needs them.
                rejected.sync()
                execution.save_checkpoint(row, reached.as_json(MAX_PROBLEMS))

            def report_progress(so_far: ImportReport, total: int) -> None:
                on_progress("importing", so_far.rows, total)

            report = run_import(
                path,
                ImportOptions.from_parameters(row.parameters),
                import_id=row.pk,
                checkpoint=checkpoint,
                on_checkpoint=save_checkpoint,
                is_upload=True,
                base=row.parameters.get(BASE, ""),
                rejected=rejected.path,
                on_progress=report_progress,
                should_stop=should_stop,
            )
            if not report.interrupted:
                _keep(report, rejected)
            return report
    except InvalidSource as error:
        named = replaced(str(error), str(path), row.parameters["file"] or file_facts.THE_FILE())
        raise InvalidSource(named) from error


def _keep(report: ImportReport, rejected: GrowingFile) -> None:
    if _has_rejected(report):
        rejected.finish()
    else:
        rejected.discard()


def _has_rejected(report: ImportReport) -> bool:
    return report.rejected + report.photos_rejected > 0


def _succeed(job: Job, report: ImportReport, on_progress: ProgressCallback) -> None:
    problems = [problem.as_json() for problem in report.problems[:MAX_PROBLEMS]]
    on_progress("importing", report.rows, report.rows)
    execution.succeed(
        job,
        {
            "rows": report.rows,
            **asdict(report),
            "not_withdrawn_fact": fact_of(report.not_withdrawn),
            "note_facts": [fact_of(note) for note in report.notes],
            "problems": problems,
            "rejected_file": _has_rejected(report),
        },
    )


def _exit() -> None:
    """Without ending the job: the runner that has interrupted this process requeues or has cancelled it."""
    sys.exit(128 + signal.SIGTERM)
