"""The HTTP routes, independent of the transport: tokens, limits, JSON errors and one log line per request."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import msgspec

from handler.auth import authorize
from handler.body import decompressed, parse_body
from handler.errors import NotFoundError, PayloadTooLargeError, RequestError, UnauthorizedError, WrongMethodError
from handler.hexabot import Outcome, Service
from handler.logs import INFO, WARNING, log, log_failure, request_id
from handler.messages import Answer, Request
from handler.responses import check_size, encoded, error_body, status_of
from handler.settings import FALSE, Settings
from handler.values import is_set

if TYPE_CHECKING:
    from handler.answer_types import Health
    from handler.mcp import Tools
    from handler.observing import Observer
    from handler.prometheus import Exposition
    from handler.understanding import Understander

COMPARED = "/compare"
"""The path of the routes of other models, which the playground compares with."""
NO_CAPTURE = "x-no-capture"
"""The header with which a caller asks that nothing of a request is stored."""


class Routes:
    """Answer every request, including invalid ones.

    Attributes:
        table: The function that answers each path and method.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        observers: Sequence["Observer"] = (),
        compared: "Routes | None" = None,
        exposition: "Exposition | None" = None,
    ) -> None:
        """Build the route table.

        Args:
            service: The loaded models.
            settings: The limits, the token digests and the base path.
            observers: Called once for each request, after its response is made.
            compared: The routes of other models, answered under `/compare`, or None.
            exposition: What answers `GET /metrics`; None for no such route.
        """
        self._observers = observers
        self._compared = compared
        self._service = service
        self._settings = settings
        self.table: dict[str, dict[str, Callable[[Request], Outcome]]] = {
            "/": {"GET": self._health, "HEAD": self._health},
            "/models": {"GET": self._models},
            "/predict": {"POST": lambda request: service.predict(self._fields(request))},
            "/batch_predict": {"POST": lambda request: service.batch_predict(self._fields(request))},
            "/understand": {"POST": self._understand},
            "/parse": {"POST": self._parse},
            "/evaluate": {"POST": self._evaluate},
            "/train": {"POST": self._train},
            "/mcp": {"POST": self._mcp, "GET": self._no_stream},
        }
        if settings.playground:
            self.table["/playground"] = {"GET": self._playground}
        if settings.docs:
            self.table |= {"/openapi.json": {"GET": self._openapi}, "/docs": {"GET": self._docs}}
        if exposition is not None:
            self.table["/metrics"] = {"GET": lambda request: self._metrics(request, exposition)}

        posts = ", ".join(path for path, methods in self.table.items() if "POST" in methods)
        gets = ", ".join(path for path, methods in self.table.items() if "POST" not in methods)
        self._existing = f"the routes are GET {gets} and POST {posts}."

    @property
    def max_body_bytes(self) -> int:
        """The size limit of a request body in bytes. A transport can stop reading once a body exceeds it."""
        return self._settings.max_body_bytes

    def answer(self, request: Request) -> Answer:
        """Answer a request and log one line about it, without its query, headers or body.

        Args:
            request: The request, as any transport read it.

        Returns:
            The response. An error becomes a JSON body with `error` and `request_id`; no exception escapes.
        """
        path = self._route_of(request.path)
        if self._compared is not None and f"{path}/".startswith(f"{COMPARED}/"):
            return self._compared.answer(msgspec.structs.replace(request, path=path.removeprefix(COMPARED)))
        if path != request.path:
            request = msgspec.structs.replace(request, path=path)
        token = request_id.set(request.id)
        started = time.perf_counter()
        outcome = Outcome()
        status, headers = 200, {"content-type": "application/json", "x-request-id": request.id}
        try:
            outcome = self._route(request)(request)
            made = encoded(outcome)
            check_size(made.body, request.answer_bytes)
            status, body = made.status, made.body
            headers |= made.headers
        except RequestError as error:
            status, body = status_of(error), error_body(str(error), request)
            if isinstance(error, UnauthorizedError):
                headers["www-authenticate"] = "Bearer"
            if isinstance(error, WrongMethodError):
                headers["allow"] = error.allowed
        except Exception as error:
            log_failure("request failed", error)
            status = 500
            body = error_body("Internal error: find this request_id in the service's log for the details.", request)
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        self._log(request, status, milliseconds, outcome)
        if self._observers:
            self._observe(request, status, milliseconds, outcome)
        request_id.reset(token)
        if request.method == "HEAD":
            headers["content-length"], body = str(len(body)), b""
        return Answer(status, headers, body)

    def _route_of(self, path: str) -> str:
        """Return a path without the custom domain's base path and without trailing slashes."""
        base = self._settings.base_path
        if base and f"{path}/".startswith(f"{base}/"):
            path = path.removeprefix(base)
        return path.rstrip("/") or "/"

    def _route(self, request: Request) -> Callable[[Request], Outcome]:
        """Return the function that answers a request.

        Raises:
            NotFoundError: No route has this path.
            WrongMethodError: The route exists but does not accept this method.
        """
        methods = self.table.get(request.path)
        if methods is None:
            raise NotFoundError(f"Not Found: {self._existing}")
        if request.method not in methods:
            raise WrongMethodError(f"Method Not Allowed: {self._existing}", methods)
        return methods[request.method]

    def _health(self, request: Request) -> Outcome:
        health: Health = {"message": "Ludwig server is up", "models": list(self._service.predictors)}
        return Outcome(cast("dict[str, Any]", health))

    def _models(self, request: Request) -> Outcome:
        from handler.models import describe

        self._authorize(request)
        compare = self._compared is not None
        return Outcome(cast("dict[str, Any]", describe(self._service, self._settings, compare=compare)))

    def _understand(self, request: Request) -> Outcome:
        fields = self._fields(request)
        explained = is_set(fields.get("explain"), "explain")
        outcome = self._understander.understand(fields)
        if explained:
            from handler.explaining import explain

            outcome.answer["explanation"] = list(explain(outcome))
        return outcome

    def _playground(self, request: Request) -> Outcome:
        """Answer the page, which needs no token: it asks for one, and the routes that it calls check it."""
        from handler.page import page

        # The page compares this service's answers with those of any address that its user enters.
        return Outcome(response=page("playground", connects_to="'self' http: https:"))

    def _openapi(self, request: Request) -> Outcome:
        return Outcome(self._description)

    @cached_property
    def _description(self) -> dict[str, Any]:
        from handler.openapi import describe

        columns = {name: predictor.columns_read for name, predictor in self._service.predictors.items()}
        return describe(self.table, self._settings, columns)

    def _docs(self, request: Request) -> Outcome:
        """Answer the page that shows the description. Neither needs a token, and neither contains one."""
        from handler.page import page

        return Outcome(response=page("docs"))

    def _metrics(self, request: Request, exposition: "Exposition") -> Outcome:
        """Answer the metrics. They name labels and show how much traffic there is, so they need a token."""
        self._authorize(request)
        return Outcome(response=exposition(request.headers.get("accept", "")))

    @cached_property
    def _understander(self) -> "Understander":
        """Builds compact answers. It is made when it is first needed, because most deployments answer only Hexabot."""
        from handler.understanding import Understander

        return Understander(self._service, self._settings.default_language)

    @cached_property
    def _tools(self) -> "Tools":
        from handler.mcp import Tools

        return Tools(self._service, self._understander, self._settings.cors_origins)

    def _parse(self, request: Request) -> Outcome:
        from handler.parsing import parse

        return parse(self._understander, self._fields(request))

    def _evaluate(self, request: Request) -> Outcome:
        from handler.parsing import evaluate

        return evaluate(self._understander, self._fields(request), self._settings.max_batch_rows)

    def _train(self, request: Request) -> Outcome:
        from handler.parsing import NO_TRAINING

        self._authorize(request)
        raise RequestError(NO_TRAINING)

    def _mcp(self, request: Request) -> Outcome:
        self._tools.check(request)
        return self._tools.answer(self._fields(request))

    def _no_stream(self, request: Request) -> Outcome:
        """Refuse to open a stream. Clients ask for one first, and API Gateway would answer 404, which stops some."""
        raise WrongMethodError(
            "Method Not Allowed: this server opens no streams, so send messages with POST.", ["POST"]
        )

    def _authorize(self, request: Request) -> None:
        if not self._settings.open:
            authorize(_presented_tokens(request), self._settings.token_digests)

    def _fields(self, request: Request) -> dict[str, Any]:
        """Authorize a request and read its fields. Raises RequestError if it is refused or cannot be parsed."""
        self._authorize(request)
        limit = self.max_body_bytes
        if len(request.body) > limit or (declared_bytes(request) or 0) > limit:
            raise PayloadTooLargeError(f"The body is over {limit} bytes: send shorter texts or smaller batches.")
        body = decompressed(request.headers.get("content-encoding", ""), request.body, limit)
        return parse_body(request.headers.get("content-type", ""), body)

    def _observe(self, request: Request, status: int, milliseconds: float, outcome: Outcome) -> None:
        """Show a request to the observers. One that fails changes no response and does not stop the others."""
        from handler.observing import Observation

        private = request.headers.get(NO_CAPTURE, "").strip().lower() not in FALSE
        traceparent = request.headers.get("traceparent", "")
        seen = Observation(request.id, request.path, status, milliseconds, outcome, private, traceparent)
        for observe in self._observers:
            try:
                observe(seen)
            except Exception as error:
                log_failure("observer failed", error)

    def _log(self, request: Request, status: int, milliseconds: float, outcome: Outcome) -> None:
        models: dict[str, Any] = {}
        if outcome.milliseconds:
            models = {"models": outcome.milliseconds, "failed": outcome.failed}
        if outcome.refused:
            models["refused"] = outcome.refused
        log(
            "request",
            # The deployment's alarms count these lines, so they appear even if NLU_LOG_LEVEL hides the others.
            level=WARNING if status == 401 or outcome.failed else INFO,
            method=request.method,
            path=request.path if status != 404 else None,
            status=status,
            bytes=declared_bytes(request),
            milliseconds=milliseconds,
            **models,
        )


def declared_bytes(request: Request) -> int | None:
    """Return the Content-Length of a request in bytes, or None if it has no valid one."""
    declared = request.headers.get("content-length", "")
    # The first 18 digits of an absurdly long number are enough to exceed any limit.
    return int(declared[:18]) if declared.isascii() and declared.isdigit() else None


def _presented_tokens(request: Request) -> list[str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    queried = [value for name, value in request.query if name == "token"]
    return [*queried, bearer, request.headers.get("x-api-key", "")]
