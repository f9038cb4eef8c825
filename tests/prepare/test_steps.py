"""The steps compared with the paper's words in plain Python, and properties for any reviews."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Literal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.raw import DAY, START, Rating, Raw, Review, papers_split, papers_steps

from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out
from recommender.errors import DataError
from recommender.prepare import records
from recommender.prepare.config import PrepareConfig
from recommender.prepare.duckdb_engine import DuckDBEngine
from recommender.prepare.run import run_steps
from recommender.prepare.steps import MS_PER_HOUR, PARTS, channel_query

users, items = st.sampled_from("uvwxyz"), st.sampled_from("abcdefgh")
reviews = st.lists(
    st.builds(
        Review,
        user=users,
        item=items,
        rating=st.sampled_from([1.0, 2.0, 3.5, 4.0, 5.0]),
        time=st.integers(0, 6).map(lambda day: START + day * DAY),
        verified=st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=60,
)
in_metadata = st.lists(items, min_size=4, unique=True)
min_items = st.integers(1, 4)
few = settings(max_examples=30)  # each example runs the engine

Parts = dict[str, list[Rating]]


def prepared(found: Sequence[Review], known: Sequence[str], config: PrepareConfig) -> Parts:
    """Write raw files, run the steps and return the parts; all parts are empty if no reviews are left."""
    with TemporaryDirectory() as tmp, DuckDBEngine(Path(tmp), "200MB") as engine:
        raw = Raw(Path(tmp))
        raw.write_all(found, known)
        engine.load("review_lines", [str(raw.folder / "reviews.jsonl")], records.reviews(config.item_key))
        engine.load("metadata_lines", [str(raw.folder / "metadata.jsonl")], records.metadata())
        parts = (*PARTS[config.split], "cold")
        try:
            run_steps(config, engine)
        except DataError:
            return {part: [] for part in parts}
        return {part: [(user, item, rating, time) for user, item, rating, time in engine.rows(channel_query(part))]
                for part in parts}  # fmt: skip


def together(parts: Parts) -> list[Rating]:
    return sorted(row for rows in parts.values() for row in rows)


def assert_every_held_out_user_and_item_is_in_train(parts: Parts) -> None:
    known_users, known_items = {row[0] for row in parts["train"]}, {row[1] for row in parts["train"]}
    for part in parts.keys() - {"train", "cold"}:
        assert {row[0] for row in parts[part]} <= known_users
        assert {row[1] for row in parts[part]} <= known_items


def assert_nothing_held_out_is_earlier_than_train(parts: Parts) -> None:
    latest = {row[0]: row[3] for row in sorted(parts["train"], key=lambda row: row[3])}
    for part in parts.keys() - {"train", "cold"}:
        assert all(row[3] >= latest[row[0]] for row in parts[part])


@few
@given(reviews, in_metadata, min_items, st.integers(0, 3))
def test_the_steps_follow_the_paper(found: list[Review], known: list[str], least: int, seed: int) -> None:
    parts = prepared(found, known, PrepareConfig(min_items=least, seed=seed))
    train, test = papers_split(papers_steps(found, known, least), seed)
    assert sorted(parts["train"]) == sorted(train)
    assert sorted(parts["test"]) == sorted(test)


@few
@given(reviews, in_metadata, min_items, st.sampled_from(["leave-one-out", "leave-one-out-validation"]))
def test_the_parts_are_complete_and_hold_out_the_last_ratings_of_known_users_and_items(
    found: list[Review], known: list[str], least: int, split: str
) -> None:
    parts = prepared(found, known, PrepareConfig.from_layers([("test", {"min_items": least, "split": split})]))
    assert together(parts) == sorted(papers_steps(found, known, least))  # so no row is in two parts
    assert parts["cold"] == []
    assert_every_held_out_user_and_item_is_in_train(parts)
    assert_nothing_held_out_is_earlier_than_train(parts)
    for part in parts.keys() - {"train", "cold"}:
        assert len({row[0] for row in parts[part]}) == len(parts[part])


@few
@given(reviews, in_metadata, min_items)
def test_a_validation_row_is_the_last_one_after_the_test_row_is_removed(
    found: list[Review], known: list[str], least: int
) -> None:
    two = prepared(found, known, PrepareConfig(min_items=least, split="leave-one-out-validation"))
    one = prepared(found, known, PrepareConfig(min_items=least))
    assert two["test"] == one["test"]
    train, validation = papers_split(one["train"])
    assert (two["train"], two["validation"]) == (train, validation)


@few
@given(reviews, in_metadata, st.randoms())
def test_the_order_of_the_input_does_not_matter(found: list[Review], known: list[str], random: Random) -> None:
    for config in (
        PrepareConfig(min_items=2),
        PrepareConfig(min_items=2, duplicates="last", split="leave-one-out-validation"),
    ):
        before = prepared(found, known, config)
        random.shuffle(found)
        random.shuffle(known)
        assert prepared(found, known, config) == before


@few
@given(reviews, in_metadata, min_items, st.integers(0, 7), st.sampled_from(["keep", "first", "last"]))
def test_reviews_after_split_time_do_not_change_train(
    found: list[Review], known: list[str], least: int, day: int, duplicates: Literal["keep", "first", "last"]
) -> None:
    point = START + day * DAY
    moment = datetime.fromtimestamp(point / 1000, UTC)
    config = PrepareConfig(min_items=least, split="time", split_time=moment, duplicates=duplicates)
    parts = prepared(found, known, config)
    assert all(row[3] < point for row in parts["train"])
    assert all(row[3] >= point for part in ("test", "cold") for row in parts[part])
    assert_every_held_out_user_and_item_is_in_train(parts)
    past = [review for review in found if review.time < point]
    alone = prepared(past, known, config) if past else parts
    assert alone["train"] == parts["train"]


@few
@given(reviews, in_metadata, min_items, st.integers(0, 7))
def test_split_time_leaves_out_only_items_without_earlier_reviews(
    found: list[Review], known: list[str], least: int, day: int
) -> None:
    point = START + day * DAY
    moment = datetime.fromtimestamp(point / 1000, UTC)
    parts = prepared(found, known, PrepareConfig(min_items=least, split="time", split_time=moment))
    known_users = {row[0] for row in papers_steps([row for row in found if row.time < point], known, least)}
    verified = [review.row for review in found if review.verified and review.item in known]
    assert together(parts) == sorted(row for row in verified if row[0] in known_users)
    assert not {row[1] for row in parts["cold"]} & {row[1] for row in parts["train"]}


@pytest.mark.parametrize(
    ("duplicates", "expected"), [("keep", [2.0, 3.0, 4.0, 4.0, 1.0]), ("first", [2.0]), ("last", [4.0])]
)
def test_duplicates_keeps_all_the_first_or_the_last_review_of_an_item(
    duplicates: Literal["keep", "first", "last"], expected: list[float]
) -> None:
    times = [(2.0, 0), (3.0, 1), (4.0, 2), (4.0, 2), (1.0, 2)]
    found = [Review("u", "i", rating, START + day * DAY) for rating, day in times]
    parts = prepared(found, ["i"], PrepareConfig(min_items=1, duplicates=duplicates))
    assert sorted(row[2] for rows in parts.values() for row in rows) == sorted(expected)


@few
@given(reviews, in_metadata, min_items, st.sampled_from([0.0, 24.0, 24.5, 100.0]))
def test_the_next_basket_is_the_last_session_of_a_user_with_several(
    found: list[Review], known: list[str], least: int, hours: float
) -> None:
    parts = prepared(found, known, PrepareConfig(min_items=least, split="next-basket", session_gap_hours=hours))
    assert together(parts) == sorted(papers_steps(found, known, least))
    assert_every_held_out_user_and_item_is_in_train(parts)
    for user, _, _, time in parts["test"]:
        history = {row[3] for part in ("train", "test") for row in parts[part] if row[0] == user}
        following = sorted(day for day in history if day >= time)
        assert all(later - day < hours * MS_PER_HOUR for day, later in pairwise(following))
        assert any(time - day >= max(1, hours * MS_PER_HOUR) for day in history)


@few
@given(reviews)
def test_prepare_splits_like_training(found: list[Review]) -> None:
    """Compare SQL over raw files with numpy over ratings in memory: both follow the same rule."""
    rows = sorted((review.row for review in found if review.verified), key=lambda row: (row[0], row[3], row[1], row[2]))
    if not rows:
        return
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    held_out = leave_one_out(Interactions.from_frame(frame))
    parts = prepared(found, list("abcdefgh"), PrepareConfig(min_items=1))
    assert parts["test"] == [row for row, is_held_out in zip(rows, held_out, strict=True) if is_held_out]
