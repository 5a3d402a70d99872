"""manage.py move_category: the child process of the job that follows when a category with many products was renamed or moved."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from catalog.categories import enqueue_products_of
from jobs import execution
from jobs.models import Job
from jobs.progress import ProgressCallback


class Command(BaseCommand):
    help = (
        "Enqueue the products of a category that was renamed or moved in the admin, as a child process of the job runner. It can "
        "be interrupted, and starts again when the job is claimed again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", type=UUID, required=True, metavar="ID", help="the job, as in /api/jobs/<id>")

    def handle(self, *, job: UUID, **_: Any) -> None:
        execution.execute(job, _run_job, failures=())


def _run_job(job: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    return {"products": enqueue_products_of(job.parameters["category"], on_progress)}
