"""Raw reviews and metadata, and the paper's steps in plain Python as a reference."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

DAY = 86_400_000
START = 1_600_000_000_000  # 2020-09-13

Rating = tuple[str, str, float, int]  # user, item, rating, timestamp
Prepare = Callable[..., "Result"]
Problem = Callable[..., str]


@dataclass(frozen=True)
class Review:
    """A raw review; tests set only the fields that matter."""

    user: str = "u"
    item: str = "i"
    rating: float = 5.0
    time: int = START
    verified: bool = True
    parent: str | None = None

    @property
    def row(self) -> Rating:
        return (self.user, self.item, self.rating, self.time)

    def raw(self) -> dict[str, Any]:
        return {
            "rating": self.rating,
            "title": "Five Stars",
            "text": 'says "so"\n',
            "images": [{"small_image_url": "x"}],
            "asin": self.item,
            "parent_asin": self.parent or self.item,
            "user_id": self.user,
            "timestamp": self.time,
            "helpful_vote": 0,
            "verified_purchase": self.verified,
        }


def dense_reviews(count: int = 6) -> list[Review]:
    """Return reviews of every user for every item except one, so that train knows all held-out items."""
    return [
        Review(
            f"u{user}", f"i{item}", float(1 + (user + item) % 5), START + 1_000 * (user + 10 * ((item + user) % count))
        )
        for user in range(count)
        for item in range(count)
        if item != user
    ]


def item(asin: str, title: str | None = "A Title") -> dict[str, Any]:
    """Return a raw item of the metadata."""
    return {
        "main_category": "AMAZON FASHION",
        "title": title,
        "price": None,
        "images": [],
        "store": None,
        "categories": [],
        "details": {"Department": "Womens"},
        "parent_asin": asin,
        "bought_together": None,
    }


def json_lines(objects: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in objects).encode()


@dataclass(frozen=True)
class Raw:
    """A folder with raw files."""

    folder: Path

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
        return path

    def write_all(self, reviews: Sequence[Review], items: Sequence[str] | None = None) -> None:
        """Write reviews.jsonl and metadata.jsonl; by default the metadata has every reviewed item."""
        known = sorted({review.item for review in reviews}) if items is None else items
        self.write("reviews.jsonl", json_lines([review.raw() for review in reviews]))
        self.write("metadata.jsonl", json_lines([item(asin) for asin in known]))

    @property
    def places(self) -> list[str]:
        return ["--reviews", str(self.folder / "reviews.jsonl*"), "--metadata", str(self.folder / "metadata.jsonl*")]


@dataclass(frozen=True)
class Result:
    """The output of a run of prepare."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "summary.json").read_text()))

    @property
    def rejects(self) -> list[str]:
        return (self.folder / "rejects.csv").read_text().splitlines()[1:]

    @property
    def channels(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())

    def table(self, channel: str) -> pa.Table:
        """Return a channel in the order of its files, read without the project's code."""
        files = sorted(str(path) for path in (self.folder / channel).glob("*.parquet"))
        return ds.dataset(files).to_table()

    def rows(self, channel: str) -> list[tuple[Any, ...]]:
        if channel not in self.channels:
            return []
        return list(zip(*self.table(channel).to_pydict().values(), strict=True))

    @property
    def titles(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows("items")}


def papers_steps(reviews: Sequence[Review], items: Sequence[str], min_items: int) -> list[Rating]:
    """Return the ratings that remain after steps 1 to 3 of the paper's section 2.2, implemented literally."""
    kept = [review for review in reviews if review.verified and review.item in set(items)]
    unique = defaultdict(set)
    for review in kept:
        unique[review.user].add(review.item)
    return [review.row for review in kept if len(unique[review.user]) >= min_items]


def papers_split(ratings: Sequence[Rating], seed: int = 0) -> tuple[list[Rating], list[Rating]]:
    """Return step 4 as `(train, test)`, each in the order of the channels; a seeded hash orders equal times."""
    ordered = sorted(ratings, key=lambda row: (row[0], row[3], seeded_hash(row, seed), row[2]))
    num = Counter(row[0] for row in ordered)
    last = {row[0]: place for place, row in enumerate(ordered)}
    candidates = {place for user, place in last.items() if num[user] > 1}
    remaining = {row[1] for place, row in enumerate(ordered) if place not in candidates}
    held_out = {place for place in candidates if ordered[place][1] in remaining}
    parts = (
        [row for place, row in enumerate(ordered) if place not in held_out],
        [row for place, row in enumerate(ordered) if place in held_out],
    )
    train, test = (sorted(part, key=lambda row: (row[0], row[3], row[1], row[2])) for part in parts)
    return train, test


def seeded_hash(row: Rating, seed: int = 0) -> str:
    return sha256(f"{seed}\n{row[0]}\n{row[1]}".encode()).hexdigest()
