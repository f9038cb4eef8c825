"""Small data sets, one for each kind of events that a shop can have, and requests of their users."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recommender.components.base import Component
from recommender.components.fit_context import FitContext
from recommender.components.query import NO_ITEMS, Query
from recommender.data.histories import Histories, History
from recommender.data.interactions import Interactions
from recommender.hyperparameters import COMPONENTS, TrainConfig

NUM_USERS, NUM_ITEMS, NUM_EVENTS = 40, 62, 500
NUM_TWINS, NUM_HAD = 20, 60  # copies of items; items with events: the last two have none
NEWEST = 1_600_000_000  # seconds since 1970
WORDS = ["red", "blue", "wool", "silk", "shirt", "skirt", "coat", "hat"]
TITLES = [f"{WORDS[number % 3]} {WORDS[number % 8]}" if number % 5 else "" for number in range(NUM_ITEMS)]


def frame(seed: int = 0) -> pd.DataFrame:
    """Return at most one rating for each pair; the last 20 items with ratings copy the ratings of the first 20."""
    random = np.random.default_rng(seed)
    user, item = random.integers(0, NUM_USERS, NUM_EVENTS), random.integers(0, NUM_HAD - NUM_TWINS, NUM_EVENTS)
    rating = random.integers(1, 6, NUM_EVENTS).astype(float)
    events = pd.DataFrame({"user_id": user, "item_id": item, "rating": rating})
    events = events.drop_duplicates(["user_id", "item_id"])
    twins = events[events["item_id"] < NUM_TWINS]
    twins = twins.assign(item_id=twins["item_id"] + NUM_HAD - NUM_TWINS)
    return named(pd.concat([events, twins], ignore_index=True))


def named(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with text IDs that sort as their numbers."""
    user_id, item_id = (events[name].map(f"{name[0]}{{:02d}}".format) for name in ("user_id", "item_id"))
    return events.assign(user_id=user_id, item_id=item_id)


def at_distinct_times(events: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Return the events with distinct times in twelve days; the newest is at `NEWEST`."""
    random = np.random.default_rng(seed)
    seconds = random.choice(12 * 86_400, len(events), replace=False)
    return events.assign(timestamp=NEWEST - seconds + seconds.min())


def in_sessions(events: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """Return the events on 60 days, each at one of three times of day: many have equal times."""
    random = np.random.default_rng(seed)
    days, hours = random.integers(0, 60, len(events)), random.integers(0, 3, len(events))
    return events.assign(timestamp=NEWEST - days * 86_400 - hours * 3_600)


def with_weights_and_repeats(events: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    """Return the events with weights, and every fourth event twice."""
    random = np.random.default_rng(seed)
    both = pd.concat([events, events[::4]], ignore_index=True)
    return both.assign(weight=random.choice([1.0, 2.0, 5.0], len(both)))


@dataclass(frozen=True)
class World:
    """A data set, with components that are fitted to it once.

    Attributes:
        data: the events.
        titles: the titles of the items.
        found: the components fitted so far, by name.
    """

    data: Interactions
    titles: tuple[str, ...] = tuple(TITLES)
    found: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, events: pd.DataFrame) -> "World":
        """Return the world of a frame of events; keeps their order."""
        data = Interactions.from_frame(events.reset_index(drop=True))
        return cls(data.with_items(f"i{number:02d}" for number in range(NUM_ITEMS)))

    @property
    def context(self) -> FitContext:
        """A new fit context, without intermediate results."""
        return FitContext(self.data, titles=list(self.titles))

    @cached_property
    def histories(self) -> Histories:
        """The history of every user."""
        return Histories.from_interactions(self.data)

    def fitted(self, name: str) -> Any:  # noqa: ANN401 - a source or a feature
        """Return a component with its default options; fit it only once."""
        if name not in self.found:
            self.found[name] = COMPONENTS[name].fit(self.context, options_of(COMPONENTS[name]))
        return self.found[name]

    def loaded(self, component: Component, options: object = None) -> Any:  # noqa: ANN401 - see `fitted`
        """Return the component loaded from its saved arrays, read-only as in the server, which maps the files."""
        arrays, values = component.save()
        kept = {name: np.array(array) for name, array in arrays.items()}
        for array in kept.values():
            array.flags.writeable = False
        given: Any = options or options_of(type(component))
        return type(component).checked(kept, values, given, len(self.data.users), len(self.data.items))

    def known(self, user_num: int) -> Query:
        """Return the request of a known user."""
        return Query.of_known(self.histories, user_num)

    def stranger(self, items: ArrayLike, rating: float = 4.0) -> Query:
        """Return the request of an unknown user, with a history in the request."""
        history = new_history(items, rating)
        is_new = bool(len(history.item_num))
        return Query(None, history, self.has_clock, is_new, history.item_num, in_session=is_new and self.has_clock)

    def newer(self, user_num: int, items: ArrayLike) -> Query:
        """Return the request of a known user with new events, which replace known events of the same items."""
        known, new = self.histories.of(user_num), new_history(items)
        kept = ~np.isin(known.item_num, new.item_num)
        both = History(*(np.append(old[kept], more) for old, more in zip(known, new, strict=True)))
        return Query(user_num, both, self.has_clock, True, both.item_num, in_session=self.has_clock)

    @property
    def has_clock(self) -> bool:
        """True if times have a unit."""
        return self.data.seconds_per_unit is not None

    @cached_property
    def queries(self) -> list[Query]:
        """Requests of all kinds."""
        known = [self.known(number) for number in range(len(self.data.users))]
        newer = [self.newer(number, [7, number]) for number in range(0, len(self.data.users), 4)]
        seen = [replace(query, exclude=NO_ITEMS) for query in known[:5]]
        strangers = [self.stranger(items) for items in ([], [3], [1, 2, 5, 45], [59, 0])]
        earlier = [Query.of_known(self.histories, number, as_of_history=True) for number in range(5)]
        in_session = [
            Query.of_known(self.histories, number, now=int(self.histories.of(number).time[-1])) for number in range(5)
        ]
        return [*known, *newer, *seen, *strangers, *earlier, *in_session]


def new_history(items: ArrayLike, rating: float = 4.0) -> History:
    """Return a history of new events, one per second, later than the known ones."""
    item_num = np.asarray(items, np.int32)
    time = np.arange(1, len(item_num) + 1, dtype=np.int32) + 1_000
    return History(item_num, np.full(len(item_num), rating, np.float32), time, np.ones(len(item_num), np.float32))


def options_of(component: type[Component]) -> Any:  # noqa: ANN401 - each has its own
    """Return the default options of a component."""
    return TrainConfig().of(component.Options)


RATINGS = frame()
WORLDS = {
    "ratings": World.of(at_distinct_times(RATINGS)),
    "an order": World.of(RATINGS),  # without timestamps
    "events": World.of(in_sessions(RATINGS).drop(columns="rating")),
    "weights": World.of(at_distinct_times(with_weights_and_repeats(RATINGS))),
}
