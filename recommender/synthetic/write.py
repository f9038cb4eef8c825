"""Write a synthetic data set as the two raw files of a category."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from recommender.common.files import atomic, only_process, whole_together
from recommender.common.progress import progress
from recommender.synthetic.generate import Dataset
from recommender.synthetic.vocabulary import REVIEWS, STYLES

WRITTEN_AT_ONCE = 50_000
REVIEWS_FILE, METADATA_FILE = "Synthetic_Fashion.jsonl.gz", "meta_Synthetic_Fashion.jsonl.gz"
COMPRESSION = 6  # the default level of the gzip command


def write_raw(data: Dataset, folder: Path) -> None:
    """Write Synthetic_Fashion.jsonl.gz (10 fields per review) and meta_Synthetic_Fashion.jsonl.gz (14 per item)."""
    folder.mkdir(parents=True, exist_ok=True)
    num_items = len(data.title)
    count = np.bincount(data.item_num, minlength=num_items)
    mean = np.bincount(data.item_num, data.rating.astype(float), num_items) / np.maximum(count, 1)
    asin = data.asin()
    reviews, metadata = folder / REVIEWS_FILE, folder / METADATA_FILE
    with only_process(folder, "give this run another --output"), whole_together(folder):
        _write_jsonl(reviews, len(data.rating), lambda rows: _reviews(data, asin, rows), "reviews")
        _write_jsonl(metadata, num_items, lambda rows: _metadata(data, count, mean, rows), "metadata")


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
        words = STYLES[data.style[item]]
        garment = [name for name in words.garments if title is not None and name in title]
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
            "categories": ["Clothing, Shoes & Jewelry", words.who, *garment],
            "details": {"Department": words.who},
            "parent_asin": asin,
            "bought_together": None,
        }


def _write_jsonl(path: Path, num_rows: int, rows_of: Callable[[slice], Iterator[dict[str, Any]]], what: str) -> None:
    encode = json.JSONEncoder().encode
    with _gzipped(path) as file:
        for begin in progress(range(0, num_rows, WRITTEN_AT_ONCE), f"writing {what}"):
            file.writelines(encode(row) + "\n" for row in rows_of(slice(begin, begin + WRITTEN_AT_ONCE)))


@contextmanager
def _gzipped(path: Path) -> Iterator[IO[str]]:
    """Open a gzipped text file without a timestamp; the file appears under its name only when it is complete."""
    with (
        atomic(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as compressed,
        io.TextIOWrapper(compressed, encoding="utf-8", newline="") as text,
    ):
        yield text
