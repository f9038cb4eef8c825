"""How much each item of a history counts: less, the older its latest event is."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.components.query import Query
from recommender.data.options import SharedOptions

STEP_DECAYS = (1.0, 0.8, 0.6, 0.4)
DAY_SCALES = (1.0, 7.0, 30.0)
BEFORE_SESSION = (1.0, 0.3, 0.1, 0.03)


class RecencyOptions(SharedOptions):
    """How a history is weighted; the base of the options of sources that do so."""

    step_decay: float = Field(
        0.9, gt=0, le=1, description="weight of an event, as a factor for each later time in the history"
    )
    day_scale: float = Field(
        0.0, ge=0, le=1e6, description="days in which the weight of an event falls to 1/e; 0: days do not matter"
    )

    before_session: float = Field(
        0.3,
        ge=0,
        le=1,
        description="factor of events before the session of the request; no effect if the request begins a session",
    )

    def history_weights(self, query: Query) -> NDArray[np.float64]:
        """Return the weight of each of `query.visits`, (n,) float64."""
        visits = query.visits
        weight = visits.weight * self.step_decay**visits.steps_back
        if self.day_scale:
            weight *= np.exp(-visits.days_back / self.day_scale)
        if query.in_session:
            weight[~visits.in_session] *= self.before_session
        return weight

    @staticmethod
    def recencies(has_clock: bool) -> Sequence[Sequence[Mapping[str, object]]]:
        """Return the weightings that training tries; those by days and sessions only if times are seconds."""
        by_step = [{"step_decay": decay, "day_scale": 0.0} for decay in STEP_DECAYS]
        if not has_clock:
            return [by_step]
        by_day = [{"step_decay": 1.0, "day_scale": days} for days in DAY_SCALES]
        return [[*by_step, *by_day], [{"before_session": factor} for factor in BEFORE_SESSION]]
