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

from catalog.importers.archive import ImportInterrupted
from catalog.importers.rows import ImportAborted, ImportReport, InvalidSource
from catalog.importers.run import Checkpoint, ImportOptions, graceful_interrupt, run_import
from catalog.importers.submission import rejected_path
from jobs import execution
from jobs.files import upload_path
from jobs.models import Job
from jobs.progress import ProgressCallback
from jobs.selectors import get_job
from jobs.storage import StorageUnavailable

MAX_PROBLEMS = 20


class Command(BaseCommand):
    help = (
        "Run an import submitted through the API or the admin, as a child process of the job runner; to import a file of this "
        "machine, run import_catalog. It can be interrupted after any row, and goes on behind the rows that are saved when the job "
        "is claimed again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", type=UUID, required=True, metavar="ID")

    def handle(self, *, job: UUID, **_: Any) -> None:
        row = get_job(job)
        execution.attach_to_runner(row)
        on_progress = execution.ProgressReporter(row)
        path = upload_path(row)
        rejected = rejected_path(row)
        try:
            with graceful_interrupt() as should_stop:
                report = run_import(
                    path,
                    ImportOptions.from_parameters(row.parameters),
                    import_id=row.pk,
                    checkpoint=Checkpoint.from_json(row.checkpoint) if row.checkpoint else None,
                    on_checkpoint=lambda checkpoint: execution.save_checkpoint(row, checkpoint.as_json(MAX_PROBLEMS)),
                    is_upload=True,
                    rejected=rejected,
                    on_progress=lambda report, total: on_progress("importing", report.rows, total),
                    should_stop=should_stop,
                )
        except InvalidSource as error:
            execution.fail(row, str(error).replace(str(path), row.parameters["file"] or "the file"))
        except (ImportAborted, StorageUnavailable) as error:
            execution.fail_with_storage_error(row, error)
        except OSError as error:
            execution.fail_with_os_error(row, error)
        except ImportInterrupted:
            _exit()
        else:
            if report.interrupted:
                _exit()
            _succeed(row, report, rejected, on_progress)


def _succeed(job: Job, report: ImportReport, rejected: Path, on_progress: ProgressCallback) -> None:
    has_rejected_file = report.rejected + report.photos_rejected > 0
    if not has_rejected_file:
        rejected.unlink(missing_ok=True)
    else:
        # A web process may run as another user of the same group; nobody else is to read it.
        rejected.chmod(0o640)
    problems = [asdict(problem) for problem in report.problems[:MAX_PROBLEMS]]
    on_progress("importing", report.rows, report.rows)
    execution.succeed(
        job, {"rows": report.rows, **asdict(report), "problems": problems, "rejected_file": has_rejected_file}
    )


def _exit() -> None:
    """Without ending the job: the runner that has interrupted this process requeues or has cancelled it."""
    sys.exit(128 + signal.SIGTERM)
