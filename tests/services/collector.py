"""An OpenTelemetry collector that keeps what it is sent: OTLP over HTTP, on loopback."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1 import trace_pb2

from tests import loopback


@dataclass(frozen=True)
class Span:
    """A span as it was sent; kind: server, client, producer, consumer or internal."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]


class Collector:
    """Listens from the start on, until it is stopped."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        keep = self._keep

        class Handler(loopback.Handler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path != "/v1/traces" or self.headers["Content-Type"] != "application/x-protobuf":
                    self.send_error(404)
                    return
                keep(ExportTraceServiceRequest.FromString(sent))
                said = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        self._serving = ExitStack()
        self.url = f"http://127.0.0.1:{self._serving.enter_context(loopback.serving(Handler))}"

    def stop(self) -> None:
        """Nothing is taken any more."""
        self._serving.close()

    def traces(self) -> dict[str, list[Span]]:
        """The spans by their trace."""
        found = defaultdict(list)
        for span in self.spans:
            found[span.trace_id].append(span)
        return found

    def _keep(self, request: ExportTraceServiceRequest) -> None:
        for sent in request.resource_spans:
            service = _plain(sent.resource.attributes)["service.name"]
            for span in (span for scope in sent.scope_spans for span in scope.spans):
                kind = trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower()
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                self.spans.append(Span(service, span.name, kind, *ids, _plain(span.attributes)))


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}
