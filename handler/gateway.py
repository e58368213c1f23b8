"""Read and answer AWS's HTTP events without a web framework, which would slow down the cold start.

Importing a framework takes longer than loading the models, and the first request waits for both. Sources: AWS's
documentation of API Gateway's payload formats 1.0 and 2.0, and of Lambda functions as targets of load balancers and of
VPC Lattice; Mangum's handling of the first three.
"""

import binascii
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from handler.messages import Answer, Request, new_id

LAMBDA_ANSWER_BYTES = 6_291_556
"""Lambda's maximum response size in bytes of JSON: 6 MB as AWS counts them."""

LOAD_BALANCER_ANSWER_BYTES = 1_048_576
"""The largest response that an Application Load Balancer accepts from a function, in bytes of JSON: 1 MB."""

Kind = Literal["HTTP API", "REST API", "load balancer", "Lattice 1", "Lattice 2"]


class _Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event of any kind in the shape of API Gateway's payload format 1.0, with validated types."""

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
    """Read the HTTP request in an AWS event.

    Args:
        event: The event that Lambda passes: any JSON value.
        context: Lambda's context, or None.

    Returns:
        The request, or None if the event contains no HTTP request or a malformed one.
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
        path=_unquoted(_without_stage(found.path or "/", found.stage)),
        query=_query(found, kind),
        headers=_headers(found),
        body=body,
        answer_bytes=LOAD_BALANCER_ANSWER_BYTES if kind == "load balancer" else LAMBDA_ANSWER_BYTES,
    )


def event_answer(event: Any, answer: Answer) -> dict[str, Any]:
    """Return a response in the format that the sender of an event expects.

    Args:
        event: The event that contained the request. If it contained none, the format is that of an HTTP API.
        answer: The response.

    Returns:
        The value that Lambda's handler returns.
    """
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    response = {"statusCode": answer.status, "body": answer.body.decode(), "isBase64Encoded": False}
    kind = _kind(event)
    if kind == "load balancer" and "multiValueHeaders" in event:
        # A target group that sends multi-value headers also reads only those.
        return {**response, "multiValueHeaders": {name: [value] for name, value in headers.items()}}
    response["headers"] = headers
    return {**response, "multiValueHeaders": {}} if kind == "REST API" else response


def as_http_api_event(request: Request) -> dict[str, Any]:
    """Return a request as an event of an HTTP API, the only kind of event that this package passes to Mangum.

    Args:
        request: The request.

    Returns:
        An event in payload format 2.0.
    """
    from urllib.parse import quote, urlencode

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
        "body": binascii.b2a_base64(request.body, newline=False).decode(),
        "isBase64Encoded": True,
        "answerBytes": request.answer_bytes,
    }


def carried_bytes(body: bytes) -> int:
    """Return the size of a response body inside Lambda's JSON, without the JSON around it.

    Lambda's runtime encodes the body as a JSON string. This is the size of its longest encoding, which escapes every
    quote, backslash and non-ASCII character.

    Args:
        body: The body, UTF-8.

    Returns:
        The size in bytes, quotation marks included.
    """
    import json

    return len(json.dumps(body.decode()))


def _kind(event: Any) -> Kind | None:
    """Return the kind of an HTTP event, which its fields reveal, or None for any other event."""
    # Events for API Gateway's Lambda authorizers look like requests, but expect a policy as the answer.
    if not isinstance(event, dict) or event.get("type") == "REQUEST":
        return None
    requested = _requested(event)
    if "elb" in requested:
        return "load balancer"
    if event.get("version") == "2.0":
        if isinstance(requested.get("http"), dict):
            return "HTTP API"
        if "method" in event and "path" in event:
            return "Lattice 2"
    if "httpMethod" in event and "path" in event:
        return "REST API"
    return "Lattice 1" if "method" in event and "raw_path" in event else None


def _requested(event: Mapping[str, Any]) -> Mapping[str, Any]:
    requested = event.get("requestContext")
    return requested if isinstance(requested, dict) else {}


def _one_shape(event: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return the fields of an event under the names that `_Event` has."""
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
    """Remove the stage from a path. HTTP APIs leave it there for every stage but `$default`."""
    return path.removeprefix(f"/{stage}") or "/" if stage and f"{path}/".startswith(f"/{stage}/") else path


def _unquoted(text: str) -> str:
    """Return a text without its percent escapes."""
    if "%" not in text:
        return text
    from urllib.parse import unquote  # takes long to import, and few requests need it

    return unquote(text)


def _headers(event: _Event) -> dict[str, str]:
    headers = {name.lower(): value or "" for name, value in (event.headers or {}).items()}
    several = event.multi_value_headers or {}
    return headers | {name.lower(): ", ".join(values or ()) for name, values in several.items()}


def _query(event: _Event, kind: Kind) -> list[tuple[str, str]]:
    """Return the decoded name-value pairs of the query string."""
    if kind == "HTTP API":
        return _decoded(event.raw_query_string or "")
    several = event.multi_value_query_string_parameters
    single = event.query_string_parameters or {}
    pairs = (
        [(name, value) for name, values in several.items() for value in values or ()]
        if several
        else [(name, value or "") for name, value in single.items()]
    )
    if kind == "load balancer":  # the other senders decode the query themselves
        return [(_unquoted(name.replace("+", " ")), _unquoted(value.replace("+", " "))) for name, value in pairs]
    return pairs


def _decoded(query: str) -> list[tuple[str, str]]:
    """Return the decoded name-value pairs of a raw query string."""
    if "%" in query or "+" in query:
        from urllib.parse import parse_qsl

        return parse_qsl(query, keep_blank_values=True)
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(name, value) for name, _, value in pairs]  # the same, and fast


def _body(event: _Event) -> bytes:
    """Return the bytes of a body. Raises ValueError if it claims to be base64 and is not."""
    body = event.body or ""
    return binascii.a2b_base64(body) if event.is_base64_encoded else body.encode("utf-8", "surrogatepass")
