"""The checked size of a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from recommender.common.messages import shown
from recommender.errors import RequestError
from recommender.pipeline.limits import LIMITS

LARGE = 100  # candidates, events or items of a request; above it, each source takes some ms
Pause = Callable[[], object]


@dataclass(frozen=True)
class Size:
    """How much a request asks for.

    Attributes:
        top_k: items in the response.
        num_candidates: candidates of each source.
        pause: called between the parts of a large request, some ms each, so that a server can do something else.
    """

    top_k: int
    num_candidates: int
    pause: Pause

    @classmethod
    def of(cls, top_k: object, num_candidates: object, num_events: int, pause: Pause | None) -> Self:
        """Return the size, after checking it. Small requests do not pause, since a pause has its price.

        Args:
            top_k: items in the response.
            num_candidates: candidates of each source; None: 100, or `top_k` if that is more.
            num_events: events of the request.
            pause: see `Size`; None: do not pause.

        Raises:
            RequestError: a number is no whole number from 1.
        """
        count = _whole("top_k", top_k)
        most = max(LIMITS.num_candidates, count) if num_candidates is None else num_candidates
        candidates = _whole("num_candidates", most)
        is_small = max(candidates, num_events, count) <= LARGE
        return cls(count, candidates, _go_on if pause is None or is_small else pause)


def _whole(field: str, value: object) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise RequestError(field, f"expected a whole number from 1, got {shown(value)}")
    return int(value)


def _go_on() -> None:
    """Do not pause."""
