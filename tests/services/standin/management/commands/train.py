"""manage.py train --job: `epochs` (5) steps of a tenth of a second; with the seed 13 it is killed half way."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from jobs import execution
from jobs.files import local_upload
from jobs.models import Job
from product_files.containers.archives import SafeArchive


class Command(BaseCommand):
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--job", required=True)

    def handle(self, **options: Any) -> None:
        job = Job.objects.get(pk=options["job"])
        execution.attach_to_runner(job)
        on_progress = execution.ProgressReporter(job)
        with tempfile.TemporaryDirectory() as folder, local_upload(job) as path, SafeArchive(path) as archive:
            archive.extract_to(Path(folder))
            photos = sum(path.is_file() for path in Path(folder).rglob("*"))
        steps = job.parameters.get("epochs", 5)
        for step in range(1, steps + 1):
            on_progress("training", step, steps)
            time.sleep(0.1)
            if job.parameters.get("seed") == 13 and step == steps // 2:
                os.kill(os.getpid(), signal.SIGKILL)
        execution.succeed(job, {"photos": photos})
