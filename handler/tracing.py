"""Traces of requests with OpenTelemetry, for `serve`: a span for each request, and one for each model that it asks.

FastAPI can trace requests itself, but its spans contain the query string, and with it the token. These spans contain
the route, the status, and the names and times of models; never a text or a token.
"""

import time
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from handler import __version__

if TYPE_CHECKING:
    from handler.observing import Observation

NAME = "ludwig-serverless"
SERVER_ERROR = 500
NOT_FOUND = 404
NANOSECONDS = 1_000_000
"""In a millisecond."""


class Traces:
    """Makes spans of requests, and sends them in batches from a thread of its own.

    The variables of OpenTelemetry configure it, such as OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_SERVICE_NAME.
    """

    def __init__(self) -> None:
        """Start the exporter."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self._provider = TracerProvider(
            resource=Resource.create({"service.name": NAME, "service.version": __version__})
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Tracer = self._provider.get_tracer(NAME, __version__)

    def __call__(self, observation: "Observation") -> None:
        """Make the spans of a request that was answered. It is part of its caller's trace, if it has a `traceparent`.

        Args:
            observation: The request.
        """
        end = time.time_ns()
        start = end - round(observation.milliseconds * NANOSECONDS)
        # Unknown paths can be anything, even a text.
        route = observation.path if observation.status != NOT_FOUND else "unknown route"
        parent = TraceContextTextMapPropagator().extract({"traceparent": observation.traceparent}, Context())
        attributes: dict[str, str | int] = {
            "http.route": route,
            "http.response.status_code": observation.status,
            "request_id": observation.request_id,
        }
        request = self._tracer.start_span(route, parent, SpanKind.SERVER, attributes, start_time=start)
        if observation.status >= SERVER_ERROR:
            request.set_status(StatusCode.ERROR)
        outcome = observation.outcome
        for model, milliseconds in outcome.milliseconds.items():  # models answer one after another
            stop = min(end, start + round(milliseconds * NANOSECONDS))
            span = self._tracer.start_span(
                f"model {model}", set_span_in_context(request, parent), attributes={"model": model}, start_time=start
            )
            if model in outcome.failed:
                span.set_status(StatusCode.ERROR)
            span.end(stop)
            start = stop
        request.end(end)

    def stop(self) -> None:
        """Send the spans that wait."""
        self._provider.shutdown()
