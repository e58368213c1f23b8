"""Decompress and parse request bodies: multipart, urlencoded or JSON."""

import codecs
from collections.abc import Callable
from typing import Any

import msgspec

from handler.errors import PayloadTooLargeError, RequestError, UnsupportedContentError
from handler.multipart import MAX_FIELDS, is_plain, parse_multipart

MULTIPART, JSON, URLENCODED = b"multipart/form-data", b"application/json", b"application/x-www-form-urlencoded"
BEFORE_BOUNDARY = b"; boundary="
ZLIB_OR_GZIP = 47
"""zlib's `wbits` that accept both a zlib header and a gzip header."""

MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""The encoding that each byte order mark announces. Windows programs often write one."""

CHARSETS = {
    **dict.fromkeys((b"iso-8859-1", b"latin1", b"latin-1"), "latin-1"),
    **{name: name.decode() for name in (b"utf-16", b"utf-16le", b"utf-16be")},
}
"""Encodings other than UTF-8 that a content type may declare. PowerShell 5 sends Latin-1, for example."""


def decompressed(encoding: str, body: bytes, limit: int) -> bytes:
    """Decompress a request body.

    Args:
        encoding: The value of the Content-Encoding header.
        body: The body as it was sent.
        limit: The largest allowed size in bytes, after decompression.

    Returns:
        The decompressed body.

    Raises:
        UnsupportedContentError: The encoding is not gzip, deflate or identity.
        RequestError: The body does not have the encoding that the header names.
        PayloadTooLargeError: The body is over the limit. Decompression stops there.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedContentError(f"The content encoding is {encoding!r}; send gzip, deflate, or no compression.")
    import zlib

    stream = zlib.decompressobj(ZLIB_OR_GZIP)
    try:
        content = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise RequestError(
            f"The body is not valid {encoding}, although Content-Encoding says {encoding}: {error}."
        ) from None
    if len(content) > limit:
        raise PayloadTooLargeError(
            f"The body is over {limit} bytes after decompression: send shorter texts or smaller batches."
        )
    if not stream.eof or stream.unused_data:
        raise RequestError(f"The {encoding} body is truncated or has trailing data: send one complete stream.")
    return content


def parse_body(content_type: str, body: bytes) -> dict[str, Any]:
    """Parse the fields of a request body. If a name occurs twice, the last value wins.

    Args:
        content_type: The value of the Content-Type header. Its charset counts if `CHARSETS` lists it; multipart bodies
            are always UTF-8.
        body: The decompressed body. A leading byte order mark is removed.

    Returns:
        The fields by name.

    Raises:
        UnsupportedContentError: The content type is not multipart, urlencoded or JSON.
        RequestError: The body does not match its content type.
    """
    media_type, options = _media_type(content_type)
    parse = PARSERS.get(media_type.lower())
    if parse is None:
        found = media_type.decode("latin-1") or "none"
        expected = ", ".join(known.decode() for known in PARSERS)
        raise UnsupportedContentError(f"The content type is {found!r}; send one of {expected}.")
    try:
        return parse(body, options)
    except UnicodeDecodeError as error:
        raise RequestError(
            f"The body is not valid {error.encoding.upper()}: byte {error.start} of a value cannot be decoded."
        ) from None


def _media_type(content_type: str) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the media type of a content type, and its parameters."""
    media_type, found, boundary = content_type.encode("latin-1", "replace").partition(BEFORE_BOUNDARY)
    if found and media_type == MULTIPART and is_plain(boundary):
        return MULTIPART, {b"boundary": boundary}
    if not found and media_type in (JSON, URLENCODED):
        return media_type, {}
    from python_multipart.multipart import parse_options_header

    media_type, options = parse_options_header(content_type)
    return media_type, options


def _as_text(body: bytes, options: dict[bytes, bytes]) -> tuple[str, str]:
    """Return a body's text and encoding. A byte order mark wins over the declared charset; UTF-8 is the default."""
    for mark, encoding in MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding), encoding
    encoding = CHARSETS.get(options.get(b"charset", b"").lower(), "utf-8")
    return body.decode(encoding), encoding


def _parse_multipart(body: bytes, options: dict[bytes, bytes]) -> dict[str, Any]:
    boundary = options.get(b"boundary")
    if not boundary:
        raise RequestError("The multipart body has no boundary in its content type.")
    return parse_multipart(body, boundary)


def _parse_urlencoded(body: bytes, options: dict[bytes, bytes]) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    text, encoding = _as_text(body, options)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding=encoding, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise RequestError(f"The urlencoded body cannot be read: {error}.") from None
    return dict(pairs)


def _parse_json(body: bytes, options: dict[bytes, bytes]) -> dict[str, Any]:
    text, _ = _as_text(body, options)
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(f"The body is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise RequestError(
            f'The JSON body must be an object such as {{"text": "hello"}}, found {type(fields).__name__}.'
        )
    return fields


PARSERS: dict[bytes, Callable[[bytes, dict[bytes, bytes]], dict[str, Any]]] = {
    MULTIPART: _parse_multipart,
    URLENCODED: _parse_urlencoded,
    JSON: _parse_json,
}
