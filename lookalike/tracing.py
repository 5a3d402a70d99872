"""OpenTelemetry's SDK, exporter and instrumentation: traces of requests and tasks. Imported only if traces are on.

The SDK reads its own environment variables (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and so on).
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
from lookalike.logging import redact_keys

REQUEST_ID = "lookalike.request_id"
# Health checks and metrics, requested every few seconds.
_UNTRACED = r"/(healthz|readyz|metrics)\??$"

# Django logs some errors after all middleware, when the span of the request has ended.
_trace_of_request: ContextVar[str] = ContextVar("trace_id", default="")


def start(service: str) -> None:
    """Trace this process from now on. Call it after any fork and before the first request; the last spans are sent at exit.

    Args:
        service: name of the service in traces, unless OTEL_SERVICE_NAME is set.
    """
    resource = Resource.create({"service.name": service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.sampler = _RequestQuerySampler(provider.sampler)
    endpoint = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    # After the first middleware, which sets the request id.
    DjangoInstrumentor().instrument(middleware_position=1, request_hook=_name_request, excluded_urls=_UNTRACED)
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    PsycopgInstrumentor().instrument()
    task_prerun.connect(_name_task, dispatch_uid="lookalike.tracing")
    request_finished.connect(_clear_request_context, dispatch_uid="lookalike.tracing")


class TraceIdFilter(logging.Filter):
    """Adds `trace_id` to every log record; "-" outside of traces."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept every record."""
        context = trace.get_current_span().get_span_context()
        record.trace_id = (
            trace.format_trace_id(context.trace_id) if context.is_valid else _trace_of_request.get() or "-"
        )
        return True


class _RequestQuerySampler(Sampler):
    """Drops SQL outside of requests and tasks, which background threads send; the wrapped sampler decides on all other spans."""

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
        return f"RequestQuerySampler({self._sampler.get_description()})"


def _name_request(span: Span, _: HttpRequest) -> None:
    span.set_attribute(REQUEST_ID, request_ids.current.get())
    # URLs include the query string, which may contain an API key.
    for name, value in (getattr(span, "attributes", None) or {}).items():
        if isinstance(value, str) and (redacted := redact_keys(value)) != value:
            span.set_attribute(name, redacted)
    _trace_of_request.set(trace.format_trace_id(span.get_span_context().trace_id))


def _name_task(**_: Any) -> None:
    trace.get_current_span().set_attribute(REQUEST_ID, request_ids.current.get())


def _clear_request_context(**_: Any) -> None:
    _trace_of_request.set("")
