"""Request bodies: multipart, urlencoded or JSON in, named values out."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header

from handler.errors import RequestError, UnsupportedContentError

MAX_FIELDS = 100


def parse_body(content_type: str, body: bytes) -> dict[str, Any]:
    """Read the fields of a body. Of a name that is given twice, the last value counts.

    Raises UnsupportedContentError for another content type, RequestError for a body that is not what it says it is.
    """
    media_type, options = parse_options_header(content_type)
    parsers: dict[bytes, Callable[[bytes, dict[bytes, bytes]], dict[str, Any]]] = {
        b"multipart/form-data": _parse_multipart,
        b"application/x-www-form-urlencoded": _parse_urlencoded,
        b"application/json": _parse_json,
    }
    parse = parsers.get(media_type.lower())
    if parse is None:
        found = media_type.decode("latin-1") or "none"
        expected = ", ".join(known.decode() for known in parsers)
        raise UnsupportedContentError(f"The content type is {found!r}; send one of {expected}.")
    try:
        return parse(body, options)
    except UnicodeDecodeError as error:
        raise RequestError(f"The body is not UTF-8: byte {error.start} of a value cannot be read.") from None


def _parse_multipart(body: bytes, options: dict[bytes, bytes]) -> dict[str, Any]:
    boundary = options.get(b"boundary")
    if not boundary:
        raise RequestError("The multipart body has no boundary in its content type.")
    fields: list[Field] = []
    files: list[File] = []
    ended: list[bool] = []
    try:
        parser = FormParser("multipart/form-data", fields.append, files.append, lambda: ended.append(True), boundary)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(f"The multipart body is malformed: {error}.") from None
    if not ended:
        raise RequestError("The multipart body is malformed: it breaks off before its last boundary.")
    if files:
        name = (files[0].field_name or b"").decode()
        raise RequestError(f"The part {name!r} is a file; send plain form fields.")
    if len(fields) > MAX_FIELDS:
        raise RequestError(f"The body has {len(fields)} fields, {MAX_FIELDS} are allowed.")
    return {(field.field_name or b"").decode(): (field.value or b"").decode() for field in fields}


def _parse_urlencoded(body: bytes, options: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise RequestError(f"The urlencoded body cannot be read: {error}.") from None
    return dict(pairs)


def _parse_json(body: bytes, options: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(f"The body is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise RequestError(
            f'The JSON body must be an object such as {{"text": "hello"}}, found {type(fields).__name__}.'
        )
    return fields
