"""manage.py doctor: find what looks wrong with products, for review in the admin."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from embeddings.doctor import DoctorReport, examine
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.models import Diagnosis
from jobs import arguments, execution
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars

Kind = Diagnosis.Kind


class Command(BaseCommand):
    help = (
        "Find products that look like another category than theirs, photos of other products, photos that show no product, and "
        "missing or wrong colours, from the stored vectors and photos. The findings are listed in the admin, under Catalogue "
        "doctor; nothing is changed before somebody accepts them."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--format", choices=("text", "json"), default="text", help="how open findings are printed")
        parser.add_argument(
            "--limit",
            type=arguments.whole_number(0),
            default=20,
            help="most open findings of a kind that are printed (20)",
        )
        parser.add_argument("--job", type=UUID, metavar="ID", help=argparse.SUPPRESS)

    def handle(self, *, job: UUID | None, format: str, limit: int, **_: Any) -> None:
        if job is not None:
            execution.execute(job, _run_job, failures=(EmbeddingsError,))
            return
        try:
            with stage_bars() as on_progress:
                report = examine(on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: nothing was changed. Run it again.", returncode=130) from None
        if format == "json":
            self.stdout.write(json.dumps({**asdict(report), "findings": _open(limit)}, indent=2))
            return
        self.stdout.write(f"{report.products} products and {report.photos} photos examined, {report.new} new findings")
        for kind in Kind:
            self.stdout.write(f"{kind.label}: {report.open[kind.value]}")
            for row in _open(limit, kind.value):
                self.stdout.write(
                    f"  {row['sku']}  {row['now']} -> {row['suggestion'] or '-'}  {row['confidence']:.2f}"
                )


def _open(limit: int, *kinds: str) -> list[dict[str, Any]]:
    """The surest open findings of each kind, for JSON."""
    rows: list[dict[str, Any]] = []
    for kind in kinds or Kind.values:
        found = Diagnosis.objects.filter(decision=Diagnosis.Decision.OPEN, kind=kind, product__active=True)
        rows += [
            {
                "kind": kind,
                "sku": row.product.sku,
                "now": row.product.category.path
                if kind == Kind.CATEGORY and row.product.category
                else row.product.title,
                "suggestion": row.suggestion,
                "photo": row.photo_id or None,
                "confidence": round(row.confidence, 4),
            }
            for row in found.select_related("product__category").order_by("-confidence", "pk")[:limit]
        ]
    return rows


def _run_job(_: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    """The result of a job's search, for JSON."""
    report: DoctorReport = examine(on_progress)
    return {"products": report.products, "photos": report.photos, "new": report.new, **report.open}
