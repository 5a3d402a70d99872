"""manage.py bulk_edit: the child process of the job that changes prices, stock or activity of many products."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from catalog.bulk_edit import run_job
from jobs import execution


class Command(BaseCommand):
    help = (
        "Change the products of a bulk edit that was confirmed in the admin, as a child process of the job runner. It can be "
        "interrupted, and goes on when the job is claimed again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", type=UUID, required=True, metavar="ID", help="the job, as in /api/jobs/<id>")

    def handle(self, *, job: UUID, **_: Any) -> None:
        execution.execute(job, run_job, failures=())
