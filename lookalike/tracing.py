"""Traces by OpenTelemetry: a request, what it asks of the database and the index, and what workers do for it. Imported only if on.

All that OpenTelemetry's SDK reads of the environment itself (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and so on) holds here, too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from celery.signals import task_prerun
from django.conf import settings
from django.core.signals import request_finished
from django.http import HttpRequest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from lookalike import request_ids
from lookalike.logging import without_keys

REQUEST_ID = "lookalike.request_id"
# Asked every few seconds, and of no interest.
_UNTRACED = r"/(healthz|readyz|metrics)\??$"

# Django logs a refusal behind all middleware, when the request's span is over.
_trace_of_request: ContextVar[str] = ContextVar("trace_id", default="")


def start(service: str) -> None:
    """Trace this process from here on, as this service; what is left is sent at its end. For after any fork, before any request."""
    named = Resource.create({"service.name": service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named)
    provider.sampler = _WithoutLoneQueries(provider.sampler)
    address = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    trace.set_tracer_provider(provider)
    # Behind the first middleware, which gives the request its id.
    DjangoInstrumentor().instrument(middleware_position=1, request_hook=_name_request, excluded_urls=_UNTRACED)
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    PsycopgInstrumentor().instrument()
    task_prerun.connect(_name_task, dispatch_uid="lookalike.tracing")
    request_finished.connect(_forget_request, dispatch_uid="lookalike.tracing")


class TraceIdFilter(logging.Filter):
    """Gives every line of the log a `trace_id`, "-" where there is no trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass."""
        now = trace.get_current_span().get_span_context()
        record.trace_id = trace.format_trace_id(now.trace_id) if now.is_valid else _trace_of_request.get() or "-"
        return True


class _WithoutLoneQueries(Sampler):
    """As another sampler decides, but for queries that belong to no request and no task: those of threads that look for work."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is SpanKind.CLIENT and not trace.get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.DROP)
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"WithoutLoneQueries({self._sampler.get_description()})"


def _name_request(span: Span, _: HttpRequest) -> None:
    span.set_attribute(REQUEST_ID, request_ids.current.get())
    # Addresses have their queries, and a query may have a key.
    for name, value in (getattr(span, "attributes", None) or {}).items():
        if isinstance(value, str) and (shortened := without_keys(value)) != value:
            span.set_attribute(name, shortened)
    _trace_of_request.set(trace.format_trace_id(span.get_span_context().trace_id))


def _name_task(**_: Any) -> None:
    trace.get_current_span().set_attribute(REQUEST_ID, request_ids.current.get())


def _forget_request(**_: Any) -> None:
    _trace_of_request.set("")
