"""A synthetic data set as files: raw reviews and metadata, and the channels of a training job."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out
from recommender.data.synthetic.generate import Dataset
from recommender.data.synthetic.wardrobe import REVIEWS, STYLES
from recommender.progress import progress

MIN_UNIQUE_ITEMS = 5  # the paper keeps users with at least this many
WRITTEN_AT_ONCE = 50_000
CHANNELS = ("train", "test", "items")


def write_raw(data: Dataset, folder: Path) -> None:
    """Write Amazon_Fashion.jsonl (10 fields a review) and meta_Amazon_Fashion.jsonl (14 fields an item)."""
    folder.mkdir(parents=True, exist_ok=True)
    num_items = len(data.title)
    count = np.bincount(data.item_num, minlength=num_items)
    mean = np.bincount(data.item_num, data.rating.astype(float), num_items) / np.maximum(count, 1)
    asin = data.asin()
    reviews, metadata = folder / "Amazon_Fashion.jsonl", folder / "meta_Amazon_Fashion.jsonl"
    _write_jsonl(reviews, len(data.rating), lambda rows: _reviews(data, asin, rows), "reviews")
    _write_jsonl(metadata, num_items, lambda rows: _metadata(data, count, mean, rows), "metadata")


def write_channels(data: Dataset, folder: Path) -> None:
    """Write train/, test/ and items/: the paper's section 2.2 with parent_asin as the item's id.

    Verified reviews of users with at least 5 unique items; of each user the last one for test where the
    item remains.
    """
    reviews = pd.DataFrame(
        {
            "user_id": data.user_id[data.user_num],
            "item_id": data.parent_asin[data.item_num],
            "rating": data.rating.astype(float),
            "timestamp": data.timestamp,
        }
    )[data.verified]
    enough = reviews.groupby("user_id")["item_id"].transform("nunique") >= MIN_UNIQUE_ITEMS
    reviews = reviews[enough].reset_index(drop=True)
    held_out = leave_one_out(Interactions.from_frame(reviews)) if len(reviews) else np.zeros(0, bool)
    items = pd.DataFrame({"item_id": data.parent_asin, "title": [title or "" for title in data.title]})
    for channel, frame in zip(CHANNELS, (reviews[~held_out], reviews[held_out], items), strict=True):
        (folder / channel).mkdir(parents=True, exist_ok=True)
        with _atomic(folder / channel / f"{channel}.csv") as file:
            frame.to_csv(file, index=False, lineterminator="\n")


def foreign_files(folder: Path) -> list[Path]:
    """What lies in the folders of the channels and is not what `write_channels` replaces."""
    return [
        path
        for channel in CHANNELS
        for path in sorted((folder / channel).glob("*"))
        if path.name != f"{channel}.csv" and not path.name.startswith((".", "_"))
    ]


def _reviews(data: Dataset, asin: NDArray[np.str_], rows: slice) -> Iterator[dict[str, Any]]:
    columns = (data.user_num, data.item_num, data.rating, data.timestamp, data.verified, asin)
    for user, item, stars, time, verified, own_asin in zip(*(values[rows].tolist() for values in columns), strict=True):
        title, text = REVIEWS[stars][time % len(REVIEWS[stars])]
        yield {
            "rating": float(stars),
            "title": title,
            "text": text,
            "images": [],
            "asin": own_asin,
            "parent_asin": str(data.parent_asin[item]),
            "user_id": str(data.user_id[user]),
            "timestamp": time,
            "helpful_vote": max(0, time % 23 - 18),
            "verified_purchase": verified,
        }


def _metadata(
    data: Dataset, count: NDArray[np.int64], mean: NDArray[np.float64], rows: slice
) -> Iterator[dict[str, Any]]:
    for item in range(*rows.indices(len(data.title))):
        title, price, asin = data.title[item], float(data.price[item]), str(data.parent_asin[item])
        yield {
            "main_category": "AMAZON FASHION",
            "title": title,
            "average_rating": round(float(mean[item]), 1),
            "rating_number": int(count[item]),
            "features": ["Machine Wash"] if item % 3 else [],
            "description": [],
            "price": None if np.isnan(price) else price,
            "images": [{"thumb": f"thumb/{asin}.jpg", "large": f"{asin}.jpg", "variant": "MAIN", "hi_res": None}],
            "videos": [],
            "store": title.split()[0] if title else None,
            "categories": [],
            "details": {"Department": STYLES[data.style[item]].who},
            "parent_asin": asin,
            "bought_together": None,
        }


def _write_jsonl(path: Path, num_rows: int, rows_of: Callable[[slice], Iterator[dict[str, Any]]], what: str) -> None:
    encode = json.JSONEncoder().encode
    with _atomic(path) as file:
        for begin in progress(range(0, num_rows, WRITTEN_AT_ONCE), f"writing {what}"):
            file.writelines(encode(row) + "\n" for row in rows_of(slice(begin, begin + WRITTEN_AT_ONCE)))


@contextmanager
def _atomic(path: Path) -> Iterator[IO[str]]:
    """A text file that appears under its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
