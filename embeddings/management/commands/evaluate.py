"""manage.py evaluate: how well an encoder finds photos of the same class."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings.backends import get_encoder
from embeddings.errors import EmbeddingsError
from embeddings.evaluation.folders import embed_folder
from embeddings.evaluation.metrics import retrieval_metrics

NAMES = {
    "recall_at_1": "Recall@1",
    "recall_at_5": "Recall@5",
    "recall_at_10": "Recall@10",
    "precision_at_10": "Precision@10",
    "mean_average_precision": "mAP",
}


class Command(BaseCommand):
    help = "Recall@1/5/10 (hit rate), Precision@10 and mAP by cosine, over photos in folders (folder = class)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--queries", type=Path, required=True, help="folder of query photos, one folder a class")
        parser.add_argument(
            "--gallery",
            type=Path,
            help="folder of gallery photos; without it each query's gallery is the other queries",
        )
        parser.add_argument("--encoder", help='"bundled" or a .tflite file; default: the setting DEFAULT_ENCODER')
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, **options: Any) -> None:
        for name in ("queries", "gallery"):
            if options[name] is not None and not options[name].is_dir():
                raise CommandError(f"--{name} {options[name]} is not a folder.")
        try:
            encoder = get_encoder(options["encoder"])
            queries = embed_folder(encoder, options["queries"])
            gallery = embed_folder(encoder, options["gallery"]) if options["gallery"] else queries
            metrics = retrieval_metrics(
                queries.embeddings, queries.labels, gallery.embeddings, gallery.labels, leave_one_out=gallery is queries
            )
        except (EmbeddingsError, ValueError) as error:
            raise CommandError(str(error)) from error
        figures = {**metrics.as_dict(), "gallery": len(gallery.labels), "encoder": encoder.fingerprint}
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for path, reason in dict([*queries.rejected, *gallery.rejected]).items():
            self.stderr.write(f"left out {path}: {reason}")
        self.stdout.write(
            f"{metrics.queries} queries, gallery of {len(gallery.labels)}, model {encoder.fingerprint[:12]}"
        )
        for key, name in NAMES.items():
            self.stdout.write(f"{name:>12}  {getattr(metrics, key):.4f}")
