"""What the study runs on: the paper's split, UCI Online Retail, and a synthetic sample for everybody."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.common import PAPER_FILES, real_data
from recommender.data.channels import read_ratings, read_titles
from recommender.data.interactions import Interactions
from recommender.data.sources import open_channel
from recommender.data.splits import split_leave_one_out
from recommender.data.synthetic.generate import generate

LEAST_ITEMS = 5  # unique items of a user who is kept, as in the paper
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
    def digest(self) -> str:
        """Tells these ratings from any others."""
        parts = (self.train, self.test)
        columns = [column for part in parts for column in (part.user_num, part.item_num, part.rating, part.time)]
        return hashlib.sha256(b"".join(hashlib.sha256(column.tobytes()).digest() for column in columns)).hexdigest()


def paper() -> Data:
    """The paper's own split of Amazon Fashion."""
    folder = real_data() / "paper-split"
    train = Interactions.from_frame(_ratings(folder / PAPER_FILES["train"]))
    test = _ratings(folder / PAPER_FILES["test"])
    known = train.known(test)
    if len(known) < len(test):
        sys.exit(f"{folder}: expected every test rating's user and item in train, {len(test) - len(known)} are not")
    return Data("Amazon Fashion", train, known, _titles(train, folder / PAPER_FILES["items"]))


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


DATA = {"paper": paper, "sample": sample}
