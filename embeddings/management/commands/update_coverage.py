"""manage.py update_coverage: set which categories a collection covers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from embeddings import versions
from embeddings.coverage import set_coverage, update_rows
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.receivers import dispatch_indexing
from jobs import execution
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars


class Command(BaseCommand):
    help = (
        "Set which products a collection covers: those of categories, with everything below them, or the whole catalogue. Photos "
        "of products that are covered now are embedded, the points of others are deleted."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--categories", nargs="+", metavar="PATH", help="slug paths, e.g. clothing/shirts shoes")
        chosen.add_argument("--whole-catalogue", action="store_true", help="cover every product")
        chosen.add_argument("--nothing", action="store_true", help="cover no product")
        chosen.add_argument(
            "--job",
            type=UUID,
            metavar="ID",
            help="follow a change that was made elsewhere, as a child of the job runner",
        )
        parser.add_argument("--collection", default="all", help="slug (default: all)")

    def handle(self, *, job: UUID | None, collection: str, **options: Any) -> None:
        if job is not None:
            execution.execute(job, _run_job, failures=(EmbeddingsError,))
            return
        try:
            changed = versions.find_collection(collection)
            if not set_coverage(changed, options["categories"] or [], covers_all=options["whole_catalogue"]):
                self.stdout.write(f"{collection} covers that already.")
            with stage_bars() as on_progress:
                report = update_rows(changed, on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        dispatch_indexing(None)
        self.stdout.write(f"{report.added} photos to embed, {report.removed} to remove")


def _run_job(job: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    report = update_rows(versions.find_collection(job.collection), on_progress)
    dispatch_indexing(None)
    return asdict(report)
