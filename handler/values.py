"""Check the raw values of a request: missing ones, texts, and fields that are true or false."""

from typing import Any

from handler.errors import RequestError


def filled(value: Any, fill_value: Any, column: str) -> Any:
    """Return a value, or the fill value if it is missing.

    Args:
        value: The raw value; None is missing.
        fill_value: The replacement for a missing value; None if there is none.
        column: The column's name, for the error.

    Returns:
        A value that is not None.

    Raises:
        RequestError: The value is missing and there is no fill value.
    """
    value = fill_value if value is None else value
    if value is None:
        raise RequestError(f"{column!r} is missing, and the model has no fill value for it.")
    return value


def checked_text(value: Any, column: str) -> str:
    """Check that a value is a string that UTF-8 can encode.

    Args:
        value: Any JSON value.
        column: The column's name, for the error.

    Returns:
        The string.

    Raises:
        RequestError: The value is not a string, or contains half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise RequestError(f"{column!r} must be a string, found {type(value).__name__}.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RequestError(
            f"{column!r} is not valid Unicode: character {error.start} is half of a surrogate pair. "
            "Send the text as UTF-8."
        ) from None
    return value


def is_set(value: Any, field: str) -> bool:
    """Read a field that is true or false. A form sends it as a string.

    Args:
        value: Any JSON value; None if the field is missing.
        field: The field's name, for the error.

    Returns:
        Whether the field is true. A missing, null or empty field is false.

    Raises:
        RequestError: The value is neither true nor false.
    """
    if value is True or value in ("true", "1"):
        return True
    if value is False or value in (None, "", "false", "0"):
        return False
    raise RequestError(f"{field!r} must be true or false, found {type(value).__name__}.")
