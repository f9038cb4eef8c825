"""The SQL of `prepare` and the numpy protocols hold out the same ratings, also if times are equal."""

from collections.abc import Callable, Sequence

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.interactions import Interactions
from recommender.data.splits import Split, split_at_time, split_leave_one_out, split_next_basket
from recommender.prepare.config import PrepareConfig
from recommender.prepare.duckdb_engine import SHA2
from recommender.prepare.steps import MS_PER_HOUR, Step, known_until, split_steps, unique_reviews

Row = tuple[str, str, float, int]
COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
TIME = "1970-01-01T00:00:00.003"  # in the middle of the times below

names = st.sampled_from(["a", "b", "B", "é", "10", "9", "\n", "日\n本", "\0", ""])
rows = st.lists(
    st.tuples(names, names, st.sampled_from([1.0, 3.0, 5.0]), st.integers(1, 5)), min_size=1, max_size=60, unique=True
)


def by_sql(table: str, ratings: Sequence[Row], steps: Sequence[Step]) -> duckdb.DuckDBPyConnection:
    """Create the tables of the steps in DuckDB; insert the rows in reverse order."""
    database = duckdb.connect()
    database.execute(SHA2)
    database.execute(f"CREATE TABLE {table} (user_id VARCHAR, item_id VARCHAR, rating FLOAT, timestamp BIGINT)")
    database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [list(row) for row in reversed(ratings)])
    for step in steps:
        database.execute(f"CREATE TABLE {step.table} AS {step.query}")
    return database


def part_of(database: duckdb.DuckDBPyConnection, part: str) -> list[Row]:
    found = database.execute(f"SELECT {', '.join(COLUMNS)} FROM split WHERE part = '{part}'").fetchall()
    return sorted((user, item, float(rating), time) for user, item, rating, time in found)


def rows_of(data: Interactions) -> list[Row]:
    columns = (data.user_num, data.item_num, data.ratings, data.time)
    return sorted(
        (data.users.id(user), data.items.id(item), rating, time)
        for user, item, rating, time in zip(*(column.tolist() for column in columns), strict=True)
    )


def interactions(ratings: Sequence[Row]) -> Interactions:
    return Interactions.from_frame(pd.DataFrame(ratings, columns=COLUMNS).astype({"rating": "float32"}))


@given(rows, st.booleans(), st.integers(0, 2**63 - 1))
def test_leave_one_out_is_the_same_in_both(ratings: list[Row], validation: bool, seed: int) -> None:
    config = PrepareConfig(split="leave-one-out-validation" if validation else "leave-one-out", seed=seed)
    database = by_sql("ratings", ratings, split_steps(config, known_until(config)))
    found = split_leave_one_out(interactions(ratings), validation=validation, seed=seed)
    assert rows_of(found.train) == part_of(database, "train")
    assert rows_of(found.validation) == part_of(database, "validation")
    assert rows_of(found.test) == part_of(database, "test")


@given(rows, st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, 6.0]))
def test_the_next_basket_is_the_same_in_both(ratings: list[Row], gap: float) -> None:
    hours = [(user, item, rating, time * MS_PER_HOUR) for user, item, rating, time in ratings]
    config = PrepareConfig(split="next-basket", session_gap_hours=gap)
    database = by_sql("ratings", hours, split_steps(config, known_until(config)))
    found = split_next_basket(interactions(hours), gap * MS_PER_HOUR)
    assert rows_of(found.train) == part_of(database, "train")
    assert rows_of(found.test) == part_of(database, "test")


@given(rows)
def test_the_split_at_a_time_is_the_same_in_both(ratings: list[Row]) -> None:
    """Drop users without earlier ratings first, because the SQL steps do it before they split."""
    config = PrepareConfig.from_layers([("test", {"split": "time", "split_time": TIME})])
    until = known_until(config)
    known = {user for user, _, _, time in ratings if time < until}
    kept = [row for row in ratings if row[0] in known]
    if kept:
        database = by_sql("ratings", kept, split_steps(config, until))
        found = split_at_time(interactions(kept), until)
        assert rows_of(found.train) == part_of(database, "train")
        assert rows_of(found.test) == part_of(database, "test")


@pytest.mark.parametrize("keep", ["first", "last"])
@given(ratings=rows)
def test_one_rating_of_each_pair_is_the_same_in_both(keep: str, ratings: list[Row]) -> None:
    config = PrepareConfig.from_layers([("test", {"duplicates": keep})])
    database = by_sql("of_known_items", ratings, unique_reviews(config, known_until(config)))
    found = database.execute(f"SELECT {', '.join(COLUMNS)} FROM unique_reviews").fetchall()
    expected = sorted((user, item, float(rating), time) for user, item, rating, time in found)
    assert rows_of(interactions(ratings).without_duplicates(config.duplicates)) == expected


@given(rows, st.randoms())
def test_the_numpy_protocols_do_not_depend_on_the_order_of_the_input(ratings: list[Row], random: "st.DrawFn") -> None:
    shuffled = list(ratings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    protocols: list[Callable[[Interactions], Split]] = [
        split_leave_one_out,
        lambda data: split_leave_one_out(data, validation=True),
        lambda data: split_next_basket(data, 2),
    ]
    for protocol in protocols:
        one, other = protocol(interactions(ratings)), protocol(interactions(shuffled))
        assert rows_of(one.test) == rows_of(other.test)
        assert rows_of(one.validation) == rows_of(other.validation)
