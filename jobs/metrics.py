"""Counts the jobs that this process has run."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from jobs.states import ENDED_STATES

_JOBS = Counter("lookalike_jobs", "Jobs that have ended.", ["kind", "result"])
_SECONDS = Histogram(
    "lookalike_job_seconds",
    "Time from a job's start to its end; a training's with kind train.",
    ["kind"],
    buckets=(1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400),
)


def create_series(kind: str) -> None:
    """Create the series of a kind of job: to Prometheus, a series that begins with its first failure has not risen.

    Args:
        kind: name of a registered kind.
    """
    for state in ENDED_STATES:
        _JOBS.labels(kind, state.value)
    _SECONDS.labels(kind)


def count_job(kind: str, result: str, seconds: float | None) -> None:
    """Count a job that has ended.

    Args:
        kind: name of its kind.
        result: its state.
        seconds: from its start to its end; None for a job that never started.
    """
    _JOBS.labels(kind, result).inc()
    if seconds is not None:
        _SECONDS.labels(kind).observe(seconds)
