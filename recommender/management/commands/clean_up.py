"""manage.py clean_up: delete what is past its time."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from recommender.retention import clean_up


class Command(BaseCommand):
    help = (
        "Delete expired sessions, old jobs, events, audit entries and records of fetched photos, unused encoder versions,"
        " and files that no photo has. A periodic task does so every night; without a broker, run it by cron."
    )

    def handle(self, **_: Any) -> None:
        for name, count in clean_up().items():
            self.stdout.write(f"{count:,} {name} deleted")
