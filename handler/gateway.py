"""Read and answer AWS's HTTP events without a web framework, which would slow down the cold start.

Importing a framework takes longer than loading the models, and the first message waits for both. Sources: AWS's
documentation of API Gateway's payload formats 1.0 and 2.0, and of functions as targets of load balancers and of VPC
Lattice; and Mangum's handling of the first three.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlencode

import msgspec

from handler.messages import Answer, Request, new_id

LAMBDA_ANSWER_BYTES = 6_291_556
"""Lambda's maximum response size in bytes, as JSON: 6 MB as AWS counts them."""

LOAD_BALANCER_ANSWER_BYTES = 1_048_576
"""The largest answer that an Application Load Balancer takes from a function, as JSON: 1 MB."""

Kind = Literal["HTTP API", "REST API", "load balancer", "Lattice 1", "Lattice 2"]


class _Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event of any kind in the shape of API Gateway's payload 1.0, with checked types."""

    http_method: str
    path: str | None = None
    stage: str | None = None
    headers: dict[str, str | None] | None = None
    multi_value_headers: dict[str, list[str] | None] | None = None
    raw_query_string: str | None = None
    query_string_parameters: dict[str, str | None] | None = None
    multi_value_query_string_parameters: dict[str, list[str] | None] | None = None
    body: str | None = None
    is_base64_encoded: bool = False


def read_event(event: Any, context: Any) -> Request | None:
    """Read the request in an event of AWS.

    Args:
        event: What Lambda hands over: any JSON value.
        context: What Lambda hands over beside it, or None.

    Returns:
        The request, or None for an event that holds no HTTP request, or a malformed one.
    """
    kind = _kind(event)
    if kind is None:
        return None
    try:
        found = msgspec.convert(_one_shape(event, kind), _Event)
        body = _body(found)
    except (msgspec.ValidationError, ValueError):
        return None
    return Request(
        id=getattr(context, "aws_request_id", None) or new_id(),
        method=found.http_method,
        path=unquote(_without_stage(found.path or "/", found.stage)),
        query=_query(found, kind),
        headers=_headers(found),
        body=body,
        answer_bytes=LOAD_BALANCER_ANSWER_BYTES if kind == "load balancer" else LAMBDA_ANSWER_BYTES,
    )


def event_answer(event: Any, answer: Answer) -> dict[str, Any]:
    """Return an answer in the shape that the event's sender reads; for other events, in that of an HTTP API."""
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    response = {"statusCode": answer.status, "body": answer.body.decode(), "isBase64Encoded": False}
    kind = _kind(event)
    if kind == "load balancer" and "multiValueHeaders" in event:
        # A target group that sends lists of headers reads nothing else.
        return {**response, "multiValueHeaders": {name: [value] for name, value in headers.items()}}
    response["headers"] = headers
    return {**response, "multiValueHeaders": {}} if kind == "REST API" else response


def as_http_api_event(request: Request) -> dict[str, Any]:
    """Return a request as an event of an HTTP API, the only kind that Mangum gets from us."""
    return {
        "version": "2.0",
        "rawQueryString": urlencode(list(request.query), errors="replace"),
        "headers": dict(request.headers),
        "requestContext": {
            "http": {
                "method": request.method,
                "path": quote(request.path, errors="replace"),
                "protocol": "HTTP/1.1",
                "sourceIp": "",
            }
        },
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
        "answerBytes": request.answer_bytes,
    }


def carried_bytes(body: bytes) -> int:
    """Return the size of an answer's body inside of Lambda's JSON, in bytes; what surrounds it is not counted.

    Lambda's runtime writes the body as a JSON string. The size is that of the longest way to write it, with every
    quote, backslash and character beyond ASCII escaped.
    """
    return len(json.dumps(body.decode()))


def _kind(event: Any) -> Kind | None:
    """Return what kind of HTTP event this is, by the fields that only this kind has."""
    # The events of API Gateway's authorizers look like requests, and expect a policy.
    if not isinstance(event, dict) or event.get("type") == "REQUEST":
        return None
    requested = _requested(event)
    version = event.get("version")
    signs: dict[Kind, bool] = {
        "load balancer": "elb" in requested,
        "HTTP API": version == "2.0" and isinstance(requested.get("http"), dict),
        "Lattice 2": version == "2.0" and {"method", "path"} <= event.keys(),
        "REST API": {"httpMethod", "path"} <= event.keys(),
        "Lattice 1": {"method", "raw_path"} <= event.keys(),
    }
    return next((kind for kind, is_so in signs.items() if is_so), None)


def _requested(event: Mapping[str, Any]) -> Mapping[str, Any]:
    requested = event.get("requestContext")
    return requested if isinstance(requested, dict) else {}


def _one_shape(event: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return an event with the names of `_Event`."""
    requested = _requested(event)
    match kind:
        case "HTTP API":
            http = requested["http"]
            names = ("headers", "rawQueryString", "body", "isBase64Encoded")
            shape = {"httpMethod": http.get("method"), "path": http.get("path"), "stage": requested.get("stage")}
            return shape | {name: event[name] for name in names if name in event}
        case "Lattice 2":
            return {
                "httpMethod": event["method"],
                "path": event["path"],
                "multiValueHeaders": event.get("headers"),
                "multiValueQueryStringParameters": event.get("queryStringParameters"),
                "body": event.get("body"),
                "isBase64Encoded": event.get("isBase64Encoded") or False,
            }
        case "Lattice 1":
            return {
                "httpMethod": event["method"],
                "path": str(event["raw_path"]).partition("?")[0],
                "headers": event.get("headers"),
                "queryStringParameters": event.get("query_string_parameters"),
                "body": event.get("body"),
                "isBase64Encoded": event.get("is_base64_encoded") or False,
            }
        case _:
            return {**event, "stage": requested.get("stage")}


def _without_stage(path: str, stage: str | None) -> str:
    """Take the stage off a path: API Gateway's HTTP API leaves it there for every stage but `$default`."""
    return path.removeprefix(f"/{stage}") or "/" if stage and f"{path}/".startswith(f"/{stage}/") else path


def _headers(event: _Event) -> dict[str, str]:
    headers = {name.lower(): value or "" for name, value in (event.headers or {}).items()}
    several = event.multi_value_headers or {}
    return headers | {name.lower(): ", ".join(values or ()) for name, values in several.items()}


def _query(event: _Event, kind: Kind) -> list[tuple[str, str]]:
    """Return the pairs of the query, decoded."""
    if kind == "HTTP API":
        return parse_qsl(event.raw_query_string or "", keep_blank_values=True)
    several = event.multi_value_query_string_parameters
    single = event.query_string_parameters or {}
    pairs = (
        [(name, value) for name, values in several.items() for value in values or ()]
        if several
        else [(name, value or "") for name, value in single.items()]
    )
    if kind == "load balancer":  # the others decode the query themselves
        return [(unquote_plus(name), unquote_plus(value)) for name, value in pairs]
    return pairs


def _body(event: _Event) -> bytes:
    """Return the bytes of a body. Raises ValueError where it is not the base64 that it claims to be."""
    body = event.body or ""
    return base64.b64decode(body) if event.is_base64_encoded else body.encode("utf-8", "surrogatepass")
