"""Convert columns of ISO 8601 dates and times to milliseconds since 1970: `clock.parse_time` for many texts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recommender.data.clock import LAST_YEAR, TIME_PATTERN

Integers = NDArray[np.int64]
Times = tuple[Integers, NDArray[np.bool_]]


def milliseconds_of(text: pa.Array) -> Times:
    """Return the milliseconds since 1970 of each text (0 if it is no date or time), and which texts are one.

    Args:
        text: large_string, or a dictionary of it; a null is no date or time.
    """
    encoded = text.dictionary_encode()  # dates repeat
    time, good = _parsed(encoded.dictionary)
    codes = encoded.indices.fill_null(len(time)).to_numpy()
    return np.append(time, 0)[codes], np.append(good, False)[codes]


def _parsed(text: pa.Array) -> Times:
    parts = pc.extract_regex(text, f"^(?:{TIME_PATTERN})$")
    found = parts.is_valid().to_numpy(zero_copy_only=False)
    texts = dict(zip((field.name for field in parts.type), parts.flatten(), strict=True))
    fraction = _whole(pc.utf8_slice_codeunits(pc.utf8_rpad(texts.pop("fraction"), 3, "0"), 0, 3))
    behind = pc.equal(texts.pop("sign"), "-").fill_null(False).to_numpy(zero_copy_only=False)
    of = {name: _whole(values) for name, values in texts.items()}
    good = found & _in_calendar(of)
    day = _days(of["year"], of["month"]) + of["day"] - 1
    ahead = (of["zone_hour"] * 60 + of["zone_minute"]) * np.where(behind, -1, 1)
    minutes = (day * 24 + of["hour"]) * 60 + of["minute"] - ahead
    return np.where(good, (minutes * 60 + of["second"]) * 1000 + fraction, 0), good


def _whole(digits: pa.Array) -> Integers:
    """Convert digits to numbers; a missing part becomes 0."""
    return pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)


def _in_calendar(of: dict[str, Integers]) -> NDArray[np.bool_]:
    year, month, day = of["year"], of["month"], of["day"]
    date = (year >= 1) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    date &= day <= _days(year, month + 1) - _days(year, month)
    clock = (of["hour"] <= 23) & (of["minute"] <= 59) & (of["second"] <= 59)
    return date & clock & (of["zone_hour"] <= 23) & (of["zone_minute"] <= 59)


def _days(year: Integers, month: Integers) -> Integers:
    """Count the days from 1970-01-01 to the first of a month; month 13 is the next January."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)
