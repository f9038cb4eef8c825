"""Seconds of the stages of a job."""

import time


class Stopwatch:
    """Seconds between laps.

    Attributes:
        seconds: `seconds_<lap>` -> seconds; laps of the same name are summed.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a lap and add its seconds."""
        now = time.perf_counter()
        key = f"seconds_{name}"
        self.seconds[key] = round(self.seconds.get(key, 0) + now - self._last, 3)
        self._last = now
