"""Hexabot as a client: what it and API Gateway send, and how it reads the answer.

An independent rewrite from the rules of the contract (`hexabot-helper-ludwig` of Hexabot 2.3), not a copy of its code:
it raises where the helper throws, and so loses everything where the helper would.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

BOUNDARY = "axios-1.7.7-boundary-oRwoVlEFTmhZPUcEqJDsWm4tK"
HARD_CODED_CONFIDENCE = 0.5
"""A slot must be surer than this, whatever the helper's threshold."""
NO_ENTITIES = ("O", "<SOS>", "<EOS>")
"""Names that the helper never takes for an entity."""


class LostAnswerError(Exception):
    """Raised where Hexabot continues without NLU results."""


@dataclass(frozen=True)
class Trait:
    """A label of the whole utterance, with its confidence."""

    value: str
    confidence: float


@dataclass(frozen=True)
class Slot:
    """A value inside the utterance. start, end: its words, `text.split(" ")[start:end]`."""

    entity: str
    value: str
    confidence: float
    start: int
    end: int


@dataclass(frozen=True)
class Understanding:
    """Hexabot's interpretation of an answer. `traits` contains the language and the intent, if Hexabot keeps them."""

    traits: dict[str, Trait]
    slots: list[Slot]


def decode(body: bytes) -> Any:
    """Parse a body like axios: as JSON if possible, else as a string."""
    text = body.decode()
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def understand(text: str, answer: Any, threshold: float = 0.1) -> Understanding:
    """Read a decoded answer. Raises LostAnswerError if the helper throws an exception."""
    models = answer if isinstance(answer, dict) else {}
    language = models.get("language")
    if not isinstance(language, dict) or "predictions" not in language:
        raise LostAnswerError("language is missing or failed")
    read = {name: _trait(name, models[name]) for name in ("language", "intent") if name in models}
    traits = {name: trait for name, trait in read.items() if trait is not None and trait.confidence >= threshold}
    slots = _slots(text, models["slots"]) if "slots" in models else []
    return Understanding(traits, [slot for slot in slots if slot.confidence >= threshold])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JavaScript's JSON.parse knows no {name}")


def _trait(name: str, result: Mapping[str, Any]) -> Trait | None:
    """Read a label if the answer has the probability of the predicted label."""
    columns = result.get("predictions", {})
    label = columns.get(f"{name}_predictions")
    confidence = columns.get(f"{name}_probabilities_{label}")
    return None if confidence is None else Trait(label, confidence)


def _slots(text: str, result: Mapping[str, Any]) -> list[Slot]:
    """Read spans of tags. Tag i + 1 belongs to word i; a span begins with `B-`, where its confidence is read."""
    columns = result.get("predictions")
    if not isinstance(columns, dict):
        raise LostAnswerError("slots failed")
    tags, probabilities = columns["slots_predictions"], columns["slots_probabilities"]
    if len(tags) != len(probabilities):
        raise LostAnswerError("slots and their probabilities differ in length")
    words = text.split(" ")
    slots = [
        Slot(tags[span[0] + 1][2:], " ".join(words[i] for i in span), probabilities[span[0] + 1], span[0], span[-1] + 1)
        for span in _spans(words, tags[1:])
    ]
    return [slot for slot in slots if slot.entity not in NO_ENTITIES and (slot.confidence or 0) > HARD_CODED_CONFIDENCE]


def _spans(words: Sequence[str], tags: Sequence[str]) -> Iterator[list[int]]:
    """Yield the positions of each span's words.

    The helper passes over an empty word, the gap between two spaces, whatever its tag: a span continues behind it. An
    `I-` that continues nothing is dropped.
    """
    span: list[int] = []
    for position, (word, tag) in enumerate(zip(words, tags, strict=False)):
        if not word:
            continue
        if span and tag == f"I-{tags[span[0]][2:]}":
            span.append(position)
            continue
        if span:
            yield span
        span = [position] if tag.startswith("B-") else []
    if span:
        yield span


def multipart(fields: Mapping[str, str], boundary: str = BOUNDARY) -> tuple[str, bytes]:
    """Return the content type and the body that axios sends for a form: raw UTF-8, parts without content types."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return f"multipart/form-data; boundary={boundary}", f"{''.join(parts)}--{boundary}--\r\n".encode()


def axios_query(token: str) -> str:
    """Encode the token like axios: a space becomes `+`, and `:`, `$` and `,` stay unchanged."""
    return f"token={quote_plus(token, safe=':$,')}"


def http_api_event(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    stage: str = "$default",
    is_base64: bool = True,
) -> dict[str, Any]:
    """Return an event of API Gateway's HTTP API, version 2.0; a named stage stays in the path, as AWS leaves it."""
    raw_path = path if stage == "$default" else f"/{stage}{path}"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": {"host": "abc123.execute-api.eu-west-1.amazonaws.com", **_sent(headers, body)},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": "abc123.execute-api.eu-west-1.amazonaws.com",
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "axios/1.7.7",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": stage,
        },
        **_body(body, is_base64),
    }


def rest_api_event(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    stage: str = "prod",
    is_base64: bool = True,
) -> dict[str, Any]:
    """Return an event of API Gateway's REST API, version 1.0; the stage is in the context only."""
    sent = {"Host": "abc123.execute-api.eu-west-1.amazonaws.com", **_sent(headers, body)}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "requestContext": {
            "accountId": "123456789012",
            "httpMethod": method,
            "path": f"/{stage}{path}",
            "stage": stage,
            "identity": {"sourceIp": "192.0.2.1"},
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        },
        **_body(body, is_base64),
    }


def _sent(headers: Mapping[str, str] | None, body: bytes) -> dict[str, str]:
    return {"accept": "application/json, text/plain, */*", "content-length": str(len(body)), **(headers or {})}


def _body(body: bytes, is_base64: bool) -> dict[str, Any]:
    content = base64.b64encode(body).decode() if is_base64 else body.decode()
    return {"body": content, "isBase64Encoded": is_base64}


def parsed_entities(answer: Any, threshold: float = 0.1) -> list[tuple[str, Any]]:
    """Return what the TensorFlow and core helpers take from the answer of /parse, as names and values.

    They drop entities below the threshold, and add the intent and the language where the answer has the key.
    """
    kept = [(each["entity"], each["value"]) for each in answer["entities"] if float(each["confidence"]) >= threshold]
    traits = [(name, answer[name]) for name in ("intent", "language") if name in answer]
    return kept + [(name, trait["name"]) for name, trait in traits if trait["confidence"] >= threshold]
