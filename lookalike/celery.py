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
    """Keep Django's logging: Celery would configure its own."""


@before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_: Any) -> None:
    """Send the id of the current request with the message."""
    headers.setdefault("request_id", request_ids.current.get())


@task_prerun.connect
def restore_request_id(task: Task[..., Any], **_: Any) -> None:
    """Log with the id of the request that sent the message; periodic tasks log with the id of the task."""
    request_ids.current.set(getattr(task.request, "request_id", "") or str(task.request.id))


@task_postrun.connect
def clear_request_id(**_: Any) -> None:
    """Clear the id: the thread executes other tasks."""
    request_ids.current.set("")


class MetricsStep(bootsteps.StartStopStep):
    """A worker serves its metrics on WORKER_METRICS_PORT, and traces its tasks if traces are on."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._serving: Any = None

    def start(self, parent: Any) -> None:  # noqa: ARG002
        """Start serving, before the first task.

        Args:
            parent: the worker.

        Raises:
            ImproperlyConfigured: the port is not available.
        """
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
        """Close the port."""
        if self._serving:
            from recommender import metrics

            metrics.stop_serving(*self._serving)


app.steps["worker"].add(MetricsStep)
