"""Times and their unit; the standard library only, since the server imports this module."""

# Times are counts since 1970. Below the first bound, which is in 1973, they are positions such as 1, 2, 3.
UNITS = ((1e8, None), (1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6))
NANOSECOND = 1e-9
NAMES = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", NANOSECOND: "nanoseconds"}


def seconds_per_unit(largest: float) -> float | None:
    """Return the seconds in one unit of time, by the largest absolute time; None if the times are only an order."""
    return next((unit for bound, unit in UNITS if largest < bound), NANOSECOND)


def unit_name(unit: float | None) -> str:
    """Return the name of a unit of time, in seconds, as messages use it."""
    return "an order without a unit" if unit is None else NAMES[unit]
