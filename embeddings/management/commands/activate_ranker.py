"""manage.py activate_ranker: have a ranker put the best of searches by words in order."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.ranker_versions import activate_ranker, find_ranker


class Command(BaseCommand):
    help = (
        "Have a ranker version put the 50 best of its collection's searches by words in order. Refuses a version that was no"
        " better than the order of the text search on judgements kept aside."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("version", help="such as all-r2; the admin and manage.py train_ranker name them")
        parser.add_argument("--allow-worse", action="store_true", help="activate it even where it is no better")

    def handle(self, *, version: str, allow_worse: bool, **_: Any) -> None:
        try:
            found = find_ranker(version)
            activate_ranker(found, allow_worse=allow_worse)
        except EmbeddingsError as error:
            raise command_error(error) from error
        self.stdout.write(f"{found.label} is active")
