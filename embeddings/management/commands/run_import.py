"""manage.py run_import: the process of an import that the API or the admin was asked for."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from catalog.importers.archive import Interrupted
from catalog.importers.rows import ImportReport, ImportStopped, UnusableSource
from catalog.importers.run import ImportOptions, clean_stop, run_import
from embeddings import jobs
from embeddings.models import Job
from jobs.storage import StorageUnavailable

PROBLEMS_TOLD = 20


class Command(BaseCommand):
    help = (
        "Work off an import that was sent to the API or the admin, as the child of whoever runs its job; to import a file of this "
        "machine, run import_catalog. It can be asked to end after any row, and begins anew when it is taken up again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", type=UUID, required=True, metavar="ID")

    def handle(self, *, job: UUID, **_: Any) -> None:
        row = jobs.get_job(job)
        jobs.start(row)
        path = jobs.upload_path(row)
        rejected = jobs.rejected_path(row)
        try:
            with clean_stop() as stop:
                report = run_import(
                    path,
                    ImportOptions.from_parameters(row.parameters),
                    alone=True,
                    rejected=rejected,
                    on_progress=lambda report, total: jobs.progress(row, "importing", report.rows, total),
                    stop=stop,
                )
        except UnusableSource as error:
            jobs.fail(row, str(error).replace(str(path), row.parameters["file"] or "the file"))
        except (ImportStopped, StorageUnavailable) as error:
            jobs.fail_for_storage(row, error)
        except OSError as error:
            jobs.fail_for_files(row, error)
        except Interrupted:
            _leave()
        else:
            if report.interrupted:
                _leave()
            _succeed(row, report, rejected)


def _succeed(job: Job, report: ImportReport, rejected: Path) -> None:
    told = report.rejected + report.photos_rejected > 0
    if not told:
        rejected.unlink(missing_ok=True)
    else:
        # A web process may run as another user of the same group; nobody else is to read it.
        rejected.chmod(0o640)
    problems = [asdict(problem) for problem in report.problems[:PROBLEMS_TOLD]]
    jobs.progress(job, "importing", report.rows, report.rows)
    jobs.succeed(job, {"rows": report.rows, **asdict(report), "problems": problems, "rejected_file": told})


def _leave() -> None:
    """Whoever asked for that knows what becomes of the job."""
    sys.exit(128 + signal.SIGTERM)
