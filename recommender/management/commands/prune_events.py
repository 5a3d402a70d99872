"""manage.py prune_events: delete the events that are older than EVENTS_KEEP_DAYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from recommender.events import prune


class Command(BaseCommand):
    help = "Delete the events that are older than EVENTS_KEEP_DAYS, as a periodic task (or, without a broker, the server) does."

    def handle(self, **_: Any) -> None:
        self.stdout.write(f"{prune():,} events deleted")
