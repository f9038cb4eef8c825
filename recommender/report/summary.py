"""Summary of the data of a training."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions
from recommender.hyperparameters import TrainConfig
from recommender.report.activity import bins, label
from recommender.training.training_run import TrainingRun

MAX_LABELS = 10  # rating values; a scale with more values is divided into this number of equal parts
UNITS = (1, 10**3, 10**6, 10**9)  # units of timestamps per second
YEARS = (datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp())

Counts = dict[str, int]


@dataclass(frozen=True)
class Part:
    """A channel as a row of a table.

    Attributes:
        name: name of the channel.
        ratings, users, items: their numbers.
        density: ratings as a share of the pairs of these users and items.
        once: share of the items that have one rating.
        mean: mean rating; None without ratings.
        span: first and last day; None if timestamps are missing or are no times since 1970.
    """

    name: str
    ratings: int
    users: int
    items: int
    density: float
    once: float
    mean: float | None
    span: tuple[str, str] | None


@dataclass(frozen=True)
class Summary:
    """Counts of the data.

    Attributes:
        parts: the channels.
        by_rating: channel -> rating -> number, for the channels with ratings.
        tail: (2, n) int64, in train: numbers of ratings per item, descending, and the number of items with each.
        users_by_ratings, items_by_ratings: train ratings -> number of users, or items.
        untitled: number of train items without a title.
    """

    parts: list[Part]
    by_rating: dict[str, Counts]
    tail: NDArray[np.int64]
    users_by_ratings: Counts
    items_by_ratings: Counts
    untitled: int


def summary(finished: TrainingRun) -> Summary:
    """Count users, items and ratings; O(ratings)."""
    held_out = None if finished.rows is None else Interactions.from_frame(finished.rows.test)
    of_all = {"train": finished.data, "validation": finished.validation, "test": held_out}
    data = {name: ratings for name, ratings in of_all.items() if ratings is not None and len(ratings)}
    of_item = np.bincount(finished.data.item_num)
    number, items = np.unique(of_item, return_counts=True)
    return Summary(
        parts=[part(name, ratings) for name, ratings in data.items()],
        by_rating=by_rating(finished.config, data),
        tail=np.array([number[::-1], items[::-1]], np.int64),
        users_by_ratings=by_activity(np.bincount(finished.data.user_num)),
        items_by_ratings=by_activity(of_item),
        untitled=int((np.diff(finished.recommender.model.titles.offsets) == 0).sum()),
    )


def part(name: str, ratings: Interactions) -> Part:
    """Return the counts of a channel; users and items without ratings in it do not count."""
    of_item = np.bincount(ratings.item_num)
    users, items = len(np.unique(ratings.user_num)), int((of_item > 0).sum())
    return Part(
        name=name,
        ratings=len(ratings),
        users=users,
        items=items,
        density=len(ratings) / (users * items),
        once=float((of_item == 1).sum() / items),
        mean=None if ratings.rating is None else float(ratings.rating.mean(dtype=np.float64)),
        span=span(ratings.time),
    )


def span(time: NDArray[np.int64]) -> tuple[str, str] | None:
    """Return the first and last day, if times are seconds, ms, us or ns since 1970; else None."""
    first, last = int(time.min()), int(time.max())
    for unit in UNITS:
        if YEARS[0] * unit <= first <= last < YEARS[1] * unit:
            days = [datetime.fromtimestamp(moment / unit, UTC).date().isoformat() for moment in (first, last)]
            return days[0], days[1]
    return None


def by_rating(config: TrainConfig, data: dict[str, Interactions]) -> dict[str, Counts]:
    """Count the ratings by value; if there are many values, by equal parts of the scale."""
    rated = {name: ratings.rating for name, ratings in data.items() if ratings.rating is not None}
    if not rated:
        return {}
    values = np.unique(np.concatenate(list(rated.values())))
    if len(values) <= MAX_LABELS:
        labels = [f"{value:g}" for value in values]
        return {name: _named(labels, np.searchsorted(values, rating)) for name, rating in rated.items()}
    edges = np.linspace(config.rating_min, config.rating_max, MAX_LABELS + 1)
    labels = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return {name: _named(labels, np.searchsorted(edges[1:-1], rating)) for name, rating in rated.items()}


def by_activity(count: NDArray[np.int64]) -> Counts:
    """Count users, or items, by their number of ratings; those without ratings do not count."""
    number = bins(count[count > 0])
    first = int(number.min())
    return _named([label(one) for one in range(first, int(number.max()) + 1)], number - first)


def _named(labels: Iterable[str], number: NDArray[np.integer]) -> Counts:
    names = list(labels)
    return dict(zip(names, np.bincount(number, minlength=len(names)).tolist(), strict=True))
