"""Times and their units. This module imports only the standard library, because the server imports it."""

import re
from datetime import UTC, datetime, timedelta

# (upper bound of the largest time, seconds per unit). Times count from 1970. The first bound is in 1973 if times are
# seconds; smaller times are positions such as 1, 2, 3.
UNITS = ((1e8, None), (1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6))
NANOSECOND = 1e-9
SESSION_SECONDS = 12 * 3600  # a session ends after this time without an event
NAMES = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", NANOSECOND: "nanoseconds"}

# Python's `re` and RE2 both accept this pattern. A space and "UTC" are not ISO 8601, but database exports contain them.
TIME_PATTERN = (
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?:Z| ?UTC|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?)?)?"
)
TIME_EXAMPLES = "a date or time such as 2018-09-20 or 2018-09-20T10:11:12Z"
LAST_YEAR = 5_000  # milliseconds of later years would look like microseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_per_unit(largest: float) -> float | None:
    """Return the seconds per unit of time, given the largest absolute time; None if the times are only an order."""
    return next((unit for bound, unit in UNITS if largest < bound), NANOSECOND)


def unit_name(unit: float | None) -> str:
    """Return the name of a unit, given in seconds, for messages."""
    return "an order without a unit" if unit is None else NAMES[unit]


def parse_time(text: str) -> int:
    """Convert an ISO 8601 date or time to milliseconds since 1970; without an offset it is UTC.

    Digits beyond the millisecond are dropped.

    Raises:
        ValueError: the text has another format, no such date exists, or the year is not from 1 to `LAST_YEAR`.
    """
    found = re.fullmatch(TIME_PATTERN, text)
    if found is None:
        raise ValueError(f"expected {TIME_EXAMPLES}")
    names = ("year", "month", "day", "hour", "minute", "second", "zone_hour", "zone_minute")
    year, month, day, hour, minute, second, zone_hour, zone_minute = (int(found[name] or 0) for name in names)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"expected {TIME_EXAMPLES}: {error}") from None
    if year > LAST_YEAR or zone_hour > 23 or zone_minute > 59:
        raise ValueError(f"expected {TIME_EXAMPLES}, in the years 1 to {LAST_YEAR}")
    ahead = (zone_hour * 60 + zone_minute) * 60_000 * (-1 if found["sign"] == "-" else 1)
    fraction = int((found["fraction"] or "").ljust(3, "0")[:3])
    return (moment - EPOCH) // timedelta(milliseconds=1) + fraction - ahead
