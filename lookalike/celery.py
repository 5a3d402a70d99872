"""The Celery application: `celery -A lookalike worker --pool=threads`; for trainings `... -Q train` beside it."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, Task, beat, bootsteps
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun
from celery.worker import consumer
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection
from kombu.exceptions import OperationalError

from lookalike import request_ids

logger = logging.getLogger(__name__)

# Messages in a queue at which nothing periodic is added: the same messages wait there already.
_PERIODIC_MESSAGES = 50

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


class Scheduler(beat.PersistentScheduler):
    """Beat, without messages for workers that are away: a periodic task is not sent to a queue where many messages wait."""

    def apply_entry(self, entry: beat.ScheduleEntry, producer: Any = None) -> None:
        """Send a periodic task that is due, unless its queue is long.

        Args:
            entry: of the schedule.
            producer: a connection of the broker.
        """
        from jobs.tasks import is_long

        try:
            skipped = is_long(str(entry.task), _PERIODIC_MESSAGES)
        except OperationalError as error:
            logger.warning("the broker is unavailable (%s): %s is sent later", error, entry.task)
            return
        if skipped:
            logger.warning(
                "%s is not sent: many messages wait in its queue, so its workers are away or behind", entry.task
            )
            return
        super().apply_entry(entry, producer)


class Consumer(consumer.Consumer):
    """A worker's connection to the broker. A worker starts at Redis's limit of memory, too."""

    def connection_for_read(self, heartbeat: float | None = None) -> Connection:
        """Connect, and make room where Redis takes nothing more: a worker has to write before it can read.

        Args:
            heartbeat: seconds between heartbeats, of brokers that have them.

        Returns:
            The connection, before the worker writes by it.
        """
        connection = super().connection_for_read(heartbeat)
        if connection.transport.driver_type == "redis":
            self._make_room(connection)
        return connection

    def _make_room(self, connection: Connection) -> None:
        # Not above: this module is imported by every process, and most use no Redis.
        from redis.exceptions import OutOfMemoryError

        channel: Any = connection.default_channel
        try:
            channel.client.set("lookalike:room", 1, ex=1)
        except OutOfMemoryError:
            # One by one: at its limit Redis takes no transactions, by which kombu empties queues.
            queues = {queue: _delete_messages(channel, queue) for queue in self.app.amqp.queues}
            logger.warning(
                "Redis is at its limit of memory: the messages of %s are dropped; what they are about is in the database, and is"
                " sent again",
                ", ".join(f"{name} ({count})" for name, count in queues.items()),
            )


def _delete_messages(channel: Any, queue: str) -> int:
    keys = [channel._q_for_pri(queue, priority) for priority in channel.priority_steps]
    count: int = sum(channel.client.llen(key) for key in keys)
    channel.client.delete(*keys)
    return count
