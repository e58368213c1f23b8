"""Parse multipart forms: directly if they are as simple as clients send them here, and otherwise with python-multipart.

Importing python-multipart and parsing a message with it takes longer than most other parts of an answer.
"""

from handler.errors import RequestError
from handler.logs import silence

MAX_FIELDS = 100
PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
"""The characters of plain names and boundaries."""
BEFORE_NAME, AFTER_NAME = b'\r\nContent-Disposition: form-data; name="', b'"'
"""The headers of a part that is a plain field."""


def parse_multipart(body: bytes, boundary: bytes) -> dict[str, str]:
    """Parse a form. If a name occurs twice, the last value wins.

    Args:
        body: The body of a request.
        boundary: The boundary that its content type declares.

    Returns:
        The values by name.

    Raises:
        RequestError: The body is malformed, has too many fields, or contains a file.
        UnicodeDecodeError: A name or a value is not UTF-8.
    """
    fields = simple_fields(body, boundary)
    return any_fields(body, boundary) if fields is None else fields


def simple_fields(body: bytes, boundary: bytes) -> dict[str, str] | None:
    """Parse a form without a preamble, an epilogue, files, and headers other than the fields' names.

    Args:
        body: The body of a request.
        boundary: The boundary that its content type declares.

    Returns:
        The values by name; None for any other form, well-formed or not.

    Raises:
        UnicodeDecodeError: A value is not UTF-8.
    """
    before, *parts = b"\r\n".join([b"", body]).split(b"\r\n--" + boundary)
    if before or len(parts) < 2 or len(parts) > MAX_FIELDS or parts.pop() not in (b"--", b"--\r\n"):
        return None
    fields: dict[str, str] = {}
    for part in parts:
        headers, blank_line, value = part.partition(b"\r\n\r\n")
        if not (blank_line and headers.startswith(BEFORE_NAME) and headers.endswith(AFTER_NAME)):
            return None
        name = headers[len(BEFORE_NAME) : -len(AFTER_NAME)]
        if not is_plain(name):
            return None
        fields[name.decode()] = value.decode()
    return fields


def is_plain(name: bytes) -> bool:
    """Return whether a name or a boundary consists of the characters in PLAIN."""
    return bool(name) and not name.translate(None, PLAIN)


def any_fields(body: bytes, boundary: bytes) -> dict[str, str]:
    """Parse any form with python-multipart; see `parse_multipart`."""
    silence("python_multipart")
    from python_multipart import FormParser
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import Field, File

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
        raise RequestError("The multipart body is malformed: it ends before the closing boundary.")
    if files:
        name = (files[0].field_name or b"").decode()
        raise RequestError(f"The part {name!r} is a file; send plain form fields.")
    if len(fields) > MAX_FIELDS:
        raise RequestError(f"The body has {len(fields)} fields, and the limit is {MAX_FIELDS}.")
    return {(field.field_name or b"").decode(): (field.value or b"").decode() for field in fields}
