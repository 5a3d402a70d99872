"""The Celery application: `celery -A lookalike worker --pool=threads`; for trainings `... -Q train` beside it."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, Task, bootsteps
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from lookalike import request_ids

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookalike.settings")

app = Celery("lookalike")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def leave_logging_to_django(**_: Any) -> None:
    """A worker logs as a web process does: Celery would set up the log in its own way."""


@before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_: Any) -> None:
    """A message carries the id of the request that it came of."""
    headers.setdefault("request_id", request_ids.current.get())


@task_prerun.connect
def take_request_id(task: Task[..., Any], **_: Any) -> None:
    """What a worker logs names the request that called for it; what the clock called for, the task's own id."""
    request_ids.current.set(getattr(task.request, "request_id", "") or str(task.request.id))


@task_postrun.connect
def forget_request_id(**_: Any) -> None:
    """The thread goes on to other tasks."""
    request_ids.current.set("")


class Observed(bootsteps.StartStopStep):
    """A worker that is watched: it answers Prometheus on WORKER_METRICS_PORT, and its tasks are traced where that is on."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._serving: Any = None

    def start(self, parent: Any) -> None:  # noqa: ARG002
        """Before the first task. Raises ImproperlyConfigured for a port that cannot be had."""
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            from lookalike import tracing

            tracing.start("lookalike-worker")
        if settings.WORKER_METRICS_PORT:
            from recommender import metrics

            address, port = settings.WORKER_METRICS_PORT
            try:
                self._serving = metrics.serve(address, port)
            except OSError as error:
                raise ImproperlyConfigured(
                    f"WORKER_METRICS_PORT: {address}:{port} cannot be listened on: {error}"
                ) from error

    def stop(self, parent: Any) -> None:  # noqa: ARG002
        """Let go of the port."""
        if self._serving:
            from recommender import metrics

            metrics.stop_serving(*self._serving)


app.steps["worker"].add(Observed)
