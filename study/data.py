"""The data sets of the study with their protocols: real data of RECOMMENDER_DATA, and a synthetic sample."""

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.channels import read_events, read_items
from recommender.data.interactions import Interactions
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.data.splits import Split, split_leave_one_out
from recommender.synthetic.generate import generate
from study import protocols
from study.common import PAPER_FILES, real_data
from study.protocols import Protocol, choice

MIN_ITEMS = 5  # minimum number of distinct items per user, as in the paper
SAMPLE_USERS, SAMPLE_ITEMS, SAMPLE_RATINGS = 2_500, 2_000, 16_000

# How test is held out, for the reader of the tables.
HOW_TIME = (
    f"The newest {protocols.NEWEST:.0%} of the events are held out, from one point in time on. Test is each user's "
    "first new item from then on, if train knows the user and the item. Equal times are in a seeded random order."
)
HOW_BASKET = (
    f"Test is each user's last session: events with less than {protocols.SESSION_HOURS} hours between them. All its "
    "items that train knows are relevant. They are new to the user: the data has only first events with an item."
)
HOW_COLD = (
    f"{protocols.COLD:.0%} of the items, drawn with a seed, have no event in train. Test is each user's last event "
    "with one of them; train has no later event of that user. All items compete, cold or not. Contestants without "
    "titles can't find a cold item; popularity represents them."
)
ABOUT_PUBLISHED = (
    "Published metrics have the same data and test. Their models were usually not fitted again with the validation "
    "events; the models measured here were."
)
FOR_CHOICE = choice(4)
SLOW = {"SASRec (RecTools)": "left out: an hour or more; see Amazon Beauty 2014 and the time split of Online Retail"}
CAN_FIND_COLD = ("popularity", "titles alone")  # besides the project's own pipelines


@dataclass(frozen=True)
class Data:
    """Events to fit, and held-out events to measure on.

    Attributes:
        name: the data set's name in the tables.
        train: the events to fit.
        test: held-out events with the numbering of `train`. All test events of a user are relevant to the user's one
            list of recommendations.
        titles: by item_num; '' if unknown.
        inside: the protocol that holds out validation events inside train.
        how: how test is held out, for the reader of the tables.
        only: names of the baselines and peers to run, next to the project's own pipelines; empty for all.
        left_out: contestants that do not run, by name, with the reason.
    """

    name: str
    train: Interactions
    test: Interactions
    titles: list[str]
    inside: Protocol = FOR_CHOICE
    how: str = ""
    only: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def ratings_digest(self) -> str:
        """A digest that changes with the events."""
        return digest(self.train, self.test)

    @property
    def digest(self) -> str:
        """A digest that changes with the events and the titles."""
        return hashlib.sha256("\0".join([self.ratings_digest, *self.titles]).encode()).hexdigest()

    @property
    def users(self) -> NDArray[np.int64]:
        """The users with test events, ascending."""
        return np.unique(self.test.user_num)

    @property
    def times(self) -> NDArray[np.int64]:
        """The times of the requests of `users`: the times of their first test events."""
        order = np.lexsort((self.test.time, self.test.user_num))
        return self.test.time[order][np.searchsorted(self.test.user_num[order], self.users)]

    @property
    def relevant(self) -> list[NDArray[np.int64]]:
        """The items of the test events of each of `users`."""
        order = np.argsort(self.test.user_num, kind="stable")
        begins = np.searchsorted(self.test.user_num[order], self.users)
        return np.split(self.test.item_num[order], begins[1:])

    @property
    def inner(self) -> "Data":
        """The train events as a data set, with the validation events as test."""
        split = self.inside(self.train)
        return replace(self, train=split.train, test=split.test)


def digest(*parts: Interactions) -> str:
    """Return a digest that changes with the events, their order, and the numbers of users and items."""
    found = hashlib.sha256()
    for part in parts:
        columns = [part.user_num, part.item_num, part.time, part.rating]
        if part.weight is not None:
            columns.append(part.weight)
        found.update(f"{len(part.users)} {len(part.items)} {part.rating is None}".encode())
        for column in columns:
            found.update(b"" if column is None else hashlib.sha256(column.tobytes()).digest())
    return found.hexdigest()


def paper() -> Data:
    """Return the paper's own split of Amazon Fashion."""
    train = Interactions.from_frame(_paper_ratings("train"))
    test = _paper_ratings("test")
    known = train.known(test)
    if len(known) < len(test):
        folder = real_data() / "paper-split"
        sys.exit(f"{folder}: {len(test) - len(known)} test ratings have a user or an item that is not in train")
    how = (
        "The paper's own split: test is each user's last rating. 59 of the 1,426 pairs are in train as well. They "
        "can't be hit, because seen items are left out."
    )
    return Data("Amazon Fashion", train, known, _paper_titles(train), how=how, left_out=SLOW)


def paper_in_time() -> Data:
    """Return all ratings of the paper's data, split at one point in time."""
    everything = Interactions.from_frame(pd.concat([_paper_ratings("train"), _paper_ratings("test")]))
    made = _in_time("Amazon Fashion, time split", everything, _paper_titles(everything), HOW_TIME)
    return replace(made, left_out=SLOW)


def retail() -> Data:
    """Return UCI Online Retail with the last row of each user in the file as test."""
    events, titles = _retail()
    split = protocols.last_of_file(events)
    how = (
        "Test is each user's last event. Rows of a basket share their time and are sorted by item code in the file: "
        f"{_tied(split):.0%} of the test events are only the largest code of a basket, and some contestants learn that."
    )
    return Data(
        "Online Retail, as the file is", split.train, split.test, titles, protocols.last_of_file, how, left_out=SLOW
    )


@cache
def _retail() -> tuple[Interactions, list[str]]:
    """Return users with at least 5 items, and each user's first purchase of each item; every item has a title."""
    folder = real_data("uci-online-retail") / "uci-online-retail"
    events = pd.read_csv(folder / "events.csv.gz", dtype={"user_id": "str", "item_id": "str"})
    first = Interactions.from_frame(first_purchases(events))
    return first, _titles(first, folder / "product.csv")


def retail_with_random_ties() -> Data:
    """Return UCI Online Retail with a random row of each user's last basket as test."""
    events, titles = _retail()
    split = split_leave_one_out(events, seed=protocols.SEED)
    how = "Test is each user's last event; a seeded hash orders the rows of a basket, which share their time."
    return Data("Online Retail, ties at random", split.train, split.test, titles, how=how, left_out=SLOW)


def retail_in_time() -> Data:
    """Return UCI Online Retail, split at one point in time."""
    return _in_time("Online Retail, time split", *_retail(), HOW_TIME)


def retail_basket() -> Data:
    """Return UCI Online Retail with each user's last session as test."""
    return replace(_basket("Online Retail, next basket", *_retail()), left_out=SLOW)


def retail_cold() -> Data:
    """Return UCI Online Retail with cold items as test."""
    return _cold("Online Retail, cold items", *_retail())


def first_purchases(events: pd.DataFrame) -> pd.DataFrame:
    """Return the first purchase of each pair of user and item, for users with at least `MIN_ITEMS` items.

    Args:
        events: user_id, item_id, timestamp, one row for each line of an invoice.
    """
    unique_items = events.groupby("user_id")["item_id"].transform("nunique")
    ordered = events[unique_items >= MIN_ITEMS].sort_values("timestamp", kind="stable")
    return ordered.drop_duplicates(["user_id", "item_id"])[["user_id", "item_id", "timestamp"]]


def beauty() -> Data:
    """Return Amazon Beauty 2014 with the protocol of papers on sequential recommenders."""
    how = f"Test is each user's last event; times are positions in the sequence. {ABOUT_PUBLISHED}"
    events, _ = _beauty()
    return _last("Amazon Beauty 2014", events, [""] * len(events.items), how)


def beauty_with_titles() -> Data:
    """Return `beauty` with the numbers of each item's categories and brand as its title."""
    how = (
        "The same events and test. An item's title lists the numbers of its categories and brand. Contestants that do "
        f"not use titles have the same rows as above. {ABOUT_PUBLISHED}"
    )
    return _last("Amazon Beauty 2014, with categories and brands", *_beauty(), how)


@cache
def _beauty() -> tuple[Interactions, list[str]]:
    folder = real_data("amazon-beauty-2014") / "amazon-beauty-2014"
    events = Interactions.from_frame(
        pd.read_csv(folder / "events.csv.gz", dtype={"user_id": "str", "item_id": "str", "timestamp": "int64"})
    )
    return events, _titles(events, folder / "items.csv.gz")


@cache
def _sample() -> tuple[Interactions, list[str]]:
    """Return synthetic ratings, cleaned as in the paper; takes a fraction of a second."""
    made = generate(SAMPLE_USERS, SAMPLE_ITEMS, SAMPLE_RATINGS)
    ratings = pd.DataFrame(
        {
            "user_id": made.user_id[made.user_num],
            "item_id": made.parent_asin[made.item_num],
            "rating": made.rating,
            "timestamp": made.timestamp,
        }
    )[made.verified]
    unique_items = ratings.groupby("user_id")["item_id"].transform("nunique")
    data = Interactions.from_frame(ratings[unique_items >= MIN_ITEMS])
    titles = dict(zip(made.parent_asin.tolist(), made.title, strict=True))
    return data, [titles[item_id] or "" for item_id in data.items]


def sample() -> Data:
    """Return synthetic ratings, split as in the paper."""
    data, titles = _sample()
    split = split_leave_one_out(data)
    return Data("synthetic sample", split.train, split.test, titles, how="Test is each user's last rating.")


def sample_in_time() -> Data:
    """Return synthetic ratings, split at one point in time."""
    return replace(_in_time("synthetic sample, time split", *_sample(), HOW_TIME), only=CHEAP)


def sample_basket() -> Data:
    """Return synthetic ratings with each user's last session as test."""
    return replace(_basket("synthetic sample, next basket", *_sample()), only=CHEAP)


def sample_cold() -> Data:
    """Return synthetic ratings with cold items as test."""
    return _cold("synthetic sample, cold items", *_sample())


CHEAP = ("popularity", "titles alone", "EASE")


def _in_time(name: str, data: Interactions, titles: list[str], how: str) -> Data:
    split = protocols.newest(data)
    return Data(name, split.train, split.test, titles, protocols.newest, how)


def _basket(name: str, data: Interactions, titles: list[str]) -> Data:
    split = protocols.next_basket(data)
    return Data(name, split.train, split.test, titles, protocols.next_basket, HOW_BASKET)


def _cold(name: str, data: Interactions, titles: list[str]) -> Data:
    split = protocols.cold_items(data)
    return Data(name, split.train, split.test, titles, protocols.cold_items_again, HOW_COLD, CAN_FIND_COLD)


def _last(name: str, data: Interactions, titles: list[str], how: str) -> Data:
    split = protocols.last_events(data)
    return Data(name, split.train, split.test, titles, choice(1), how)


def _tied(split: Split) -> float:
    """Return the share of test events at the same time as a train event of the same user."""
    times = set(zip(split.train.user_num.tolist(), split.train.time.tolist(), strict=True))
    tied = [pair in times for pair in zip(split.test.user_num.tolist(), split.test.time.tolist(), strict=True)]
    return float(np.mean(tied))


def _paper_ratings(part: str) -> pd.DataFrame:
    with open_channel(real_data() / "paper-split" / PAPER_FILES[part]) as files:
        return read_events(files, EventOptions())


def _paper_titles(data: Interactions) -> list[str]:
    return _titles(data, real_data() / "paper-split" / PAPER_FILES["items"])


def _titles(data: Interactions, file: Path) -> list[str]:
    with open_channel(file) as files:
        titles = read_items(files, EventOptions())
    known = dict(zip(titles["item_id"], titles["title"], strict=True))
    return [known.get(item_id, "") for item_id in data.items]


DATA: dict[str, Callable[[], Data]] = {
    "paper": paper,
    "paper-time": paper_in_time,
    "retail": retail,
    "retail-ties": retail_with_random_ties,
    "retail-time": retail_in_time,
    "retail-basket": retail_basket,
    "retail-cold": retail_cold,
    "beauty": beauty,
    "beauty-titles": beauty_with_titles,
    "sample": sample,
    "sample-time": sample_in_time,
    "sample-basket": sample_basket,
    "sample-cold": sample_cold,
}
REAL: Sequence[str] = [name for name in DATA if not name.startswith("sample")]
SAMPLES: Sequence[str] = [name for name in DATA if name.startswith("sample")]
