"""Session neighbours: items that users have had in one session with the items of the history."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from recommender.candidates.neighbours import Neighbours, NeighboursOptions
from recommender.components.fit_context import FitContext
from recommender.config import Range
from recommender.data.clock import SESSION_SECONDS

if TYPE_CHECKING:
    from recommender.models.groups import Groups


class SessionNeighboursOptions(NeighboursOptions):
    """The options of neighbours, and the length of a session."""

    ranges: ClassVar[Mapping[str, Range]] = {**NeighboursOptions.ranges, "session_hours": Range(0.5, 168.0)}

    session_hours: float = Field(
        SESSION_SECONDS / 3600, gt=0, le=8760, description="a session ends after this many hours without event"
    )


class SessionNeighbours(Neighbours):
    """Items by the weighted sum of their pairs with the items of the history, counted over sessions."""

    name = "session_neighbours"
    Options = SessionNeighboursOptions

    @classmethod
    def unsuited(cls, context: FitContext, options: SessionNeighboursOptions) -> str | None:
        """Return why the data has no sessions: its times are only an order."""
        return None if context.has_clock else "the events have no times in seconds"

    @classmethod
    def _groups(cls, context: FitContext, options: NeighboursOptions) -> "Groups":
        from recommender.models.groups import Groups

        hours = options.session_hours if isinstance(options, SessionNeighboursOptions) else 0.0
        return context.remember(("sessions", hours), lambda: Groups.of_sessions(context.pairs, hours * 3600))
