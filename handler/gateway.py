"""API Gateway's events, read and answered without a web framework.

To import one takes longer than to load the models, and the first message waits for both. Events that are not known here
are Mangum's and FastAPI's. Source: AWS's payload format versions 1.0 and 2.0, and Mangum's handling of them.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from handler.messages import Answer, Request, new_id


def read_event(event: Mapping[str, Any], context: Any) -> Request | None:
    """Return the request in an event of an HTTP API, a REST API or a function's URL; None for any other event."""
    requested = event.get("requestContext")
    if not isinstance(requested, dict) or "elb" in requested:
        return None
    if event.get("version") == "2.0" and "http" in requested:
        method, path = requested["http"]["method"], requested["http"]["path"]
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        query: Iterable[tuple[str, str]] = parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True)
    elif "httpMethod" in event and "path" in event:
        method, path = event["httpMethod"], event["path"]
        headers, query = _headers_v1(event), _query_v1(event)
    else:
        return None
    body = _body(event)
    if body is None:
        return None
    identity = getattr(context, "aws_request_id", None) or new_id()
    return Request(identity, method, without_stage(unquote(path or "/"), requested), query, headers, body)


def event_answer(event: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """Return an answer in the shape that the event's sender reads."""
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    response = {
        "statusCode": answer.status,
        "headers": headers,
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }
    return response if event.get("version") == "2.0" else {**response, "multiValueHeaders": {}}


def without_stage(path: str, requested: Mapping[str, Any]) -> str:
    """Take the stage off a path: API Gateway's HTTP API leaves it there for every stage but `$default`."""
    stage = requested.get("stage")
    return path.removeprefix(f"/{stage}") or "/" if stage and f"{path}/".startswith(f"/{stage}/") else path


def _headers_v1(event: Mapping[str, Any]) -> dict[str, str]:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    several = event.get("multiValueHeaders") or {}
    return headers | {name.lower(): ", ".join(values or ()) for name, values in several.items()}


def _query_v1(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    several = event.get("multiValueQueryStringParameters")
    if several:
        return [(name, value) for name, values in several.items() for value in values]
    return list((event.get("queryStringParameters") or {}).items())


def _body(event: Mapping[str, Any]) -> bytes | None:
    """Return the body's bytes; None where it is not the base64 that it claims to be."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return bytes(body.encode("utf-8", "surrogatepass"))
    try:
        return base64.b64decode(body)
    except (binascii.Error, ValueError):
        return None
