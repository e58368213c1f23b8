"""Read dates as Ludwig does, and take them apart into the numbers that its date encoders read."""

import math
from contextlib import suppress
from datetime import UTC, date, datetime

SECONDS_MAGNITUDE = 9
"""The order of magnitude of today's Unix time in seconds. Larger numbers are milliseconds, microseconds and so on."""

PARTS = 9
"""How many numbers `parts_of` returns."""


def read_date(text: str, pattern: str | None) -> datetime | None:
    """Read a date.

    Args:
        text: A date in the format `pattern` or in any format that dateutil knows, or a Unix time in seconds,
            milliseconds and so on.
        pattern: A format for `datetime.strptime` to try first, or None.

    Returns:
        The date, or None if the text is not one.
    """
    from dateutil.parser import ParserError, parse

    if pattern is not None:
        with suppress(ValueError):
            return datetime.strptime(text, pattern)
    with suppress(ParserError, OverflowError):
        # The UTC offset does not change the parts. Without `tzinfos`, dateutil's warnings quote unknown time zones.
        moment: datetime = parse(text, tzinfos=lambda name, offset: offset)
        return moment
    with suppress(ValueError, OverflowError, OSError):
        seconds = float(text)
        surplus = math.floor(math.log10(seconds)) - SECONDS_MAGNITUDE
        seconds /= 10 ** max(0, surplus)
        return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)
    return None


def parts_of(moment: datetime) -> list[int]:
    """Return year, month, day, weekday, day of the year, hour, minute, second and second of the day."""
    day_of_year = moment.toordinal() - date(moment.year, 1, 1).toordinal() + 1
    second_of_day = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return [
        *(moment.year, moment.month, moment.day, moment.weekday(), day_of_year),
        *(moment.hour, moment.minute, moment.second, second_of_day),
    ]
