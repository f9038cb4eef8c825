"""What the study runs on: the paper's split, UCI Online Retail, and a synthetic sample for everybody."""

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.channels import read_ratings, read_titles
from recommender.data.interactions import Interactions
from recommender.data.sources import open_channel
from recommender.data.splits import Split, split_leave_one_out
from recommender.synthetic.generate import generate
from study.common import PAPER_FILES, real_data

LEAST_ITEMS = 5  # unique items of a user who is kept, as in the paper
MOST_PURCHASES = 5  # a rating of UCI Online Retail is a number of purchases, from 1 to this
SAMPLE_USERS, SAMPLE_ITEMS, SAMPLE_RATINGS = 2_500, 2_000, 16_000


@dataclass(frozen=True)
class Data:
    """Ratings that are fitted, and ratings that are measured.

    Attributes:
        name: what tables call it.
        train: the ratings to fit.
        test: ratings numbered as `train`, every user and item of them known there.
        titles: by item_num; '' where there is none.
    """

    name: str
    train: Interactions
    test: Interactions
    titles: list[str]

    @property
    def ratings_digest(self) -> str:
        """Tells these ratings from any others."""
        parts = (self.train, self.test)
        columns = [column for part in parts for column in (part.user_num, part.item_num, part.ratings, part.time)]
        return hashlib.sha256(b"".join(hashlib.sha256(column.tobytes()).digest() for column in columns)).hexdigest()

    @property
    def digest(self) -> str:
        """Tells these ratings and titles from any others."""
        return hashlib.sha256("\0".join([self.ratings_digest, *self.titles]).encode()).hexdigest()


def paper() -> Data:
    """The paper's own split of Amazon Fashion."""
    folder = real_data() / "paper-split"
    train = Interactions.from_frame(_ratings(folder / PAPER_FILES["train"]))
    test = _ratings(folder / PAPER_FILES["test"])
    known = train.known(test)
    if len(known) < len(test):
        sys.exit(f"{folder}: expected every test rating's user and item in train, {len(test) - len(known)} are not")
    return Data("Amazon Fashion", train, known, _titles(train, folder / PAPER_FILES["items"]))


def online_retail() -> Data:
    """UCI Online Retail: wholesalers and shoppers of gifts, every item with a real title.

    An event is a user's first purchase of an item; of users with at least 5 items the last event is held out as in
    the paper (`split_leave_one_out`). The rating of a pair is how often the user had bought the item (distinct
    times), clipped to 1..5, counting only what is earlier than the user's held-out event: nothing of the future is
    in a rating. So a held-out pair's own rating is always 1.
    """
    folder = real_data() / "uci-online-retail"
    events = pd.read_csv(folder / "events.csv.gz", dtype={"user_id": "str", "item_id": "str"})
    data = bought(events)
    return Data("Online Retail", data.train, data.test, _titles(data.train, folder / "product.csv"))


def bought(events: pd.DataFrame) -> Split:
    """Purchases -> first purchases, split, rated by how often; see `online_retail`.

    Args:
        events: user_id, item_id, timestamp, one row for each line of an invoice.
    """
    unique_items = events.groupby("user_id")["item_id"].transform("nunique")
    ordered = events[unique_items >= LEAST_ITEMS].sort_values("timestamp", kind="stable")
    first = ordered.drop_duplicates(["user_id", "item_id"]).assign(rating=1.0)
    split = split_leave_one_out(Interactions.from_frame(first))
    rating = np.clip(_times_bought(split, ordered), 1, MOST_PURCHASES).astype(np.float32)
    return replace(split, train=replace(split.train, rating=rating))


def _times_bought(split: Split, events: pd.DataFrame) -> NDArray[np.int64]:
    """Of each train pair the distinct times of its purchases before the user's held-out event, (n,) int64."""
    purchases = split.train.known(events.drop_duplicates(["user_id", "item_id", "timestamp"]).assign(rating=1.0))
    held_out = np.full(len(split.train.users), np.iinfo(np.int64).max)
    held_out[split.test.user_num] = split.test.time
    before = purchases.where(purchases.time < held_out[purchases.user_num])
    num_items = len(split.train.items)
    pairs, count = np.unique(before.user_num * num_items + before.item_num, return_counts=True)
    wanted = split.train.user_num * num_items + split.train.item_num
    place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    return np.where(pairs[place] == wanted, count[place], 0)


def sample() -> Data:
    """Synthetic ratings, cleaned and split as the paper does; a fraction of a second."""
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
    data = Interactions.from_frame(ratings[unique_items >= LEAST_ITEMS])
    titles = dict(zip(made.parent_asin.tolist(), made.title, strict=True))
    return _split("synthetic sample", data, [titles[item_id] or "" for item_id in data.items])


def _split(name: str, data: Interactions, titles: list[str]) -> Data:
    split = split_leave_one_out(data)
    return Data(name, split.train, split.test, titles)


def _ratings(file: Path) -> pd.DataFrame:
    with open_channel(file) as files:
        return read_ratings(files, 1, 5)


def _titles(data: Interactions, file: Path) -> list[str]:
    with open_channel(file) as files:
        titles = read_titles(files)
    known = dict(zip(titles["item_id"], titles["title"], strict=True))
    return [known.get(item_id, "") for item_id in data.items]


DATA = {"paper": paper, "retail": online_retail, "sample": sample}
