"""`prepare` on the paper's rows and on real raw lines."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.raw import Prepare, Rating, Raw, Review, item, json_lines

from recommender.prepare import records

pytestmark = pytest.mark.real_data

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]


@pytest.fixture(scope="module")
def paper(real_data: Path) -> dict[str, list[Rating]]:
    """Return the paper's train and test rows."""
    frames = {part: pd.read_csv(real_data / "paper-split" / f"{part}_set.csv.gz") for part in ("train", "test")}
    return {part: list(frame[COLUMNS].itertuples(index=False, name=None)) for part, frame in frames.items()}


def test_the_papers_split_and_table_3_are_rebuilt_exactly(
    raw: Raw, prepare: Prepare, paper: dict[str, list[Rating]]
) -> None:
    rows = paper["test"] + paper["train"]
    raw.write("reviews.jsonl.gz", json_lines([Review(*row).raw() for row in rows]))
    raw.write("metadata.jsonl.gz", json_lines([item(asin, None) for asin in sorted({row[1] for row in rows})]))
    result = prepare("--seed", "3")  # the seed does not matter, because no user has two items at the last time
    assert (len(paper["train"]), len(paper["test"])) == (61_803, 1_426)
    for part, expected in paper.items():
        assert sorted(result.rows(part)) == sorted(expected)
    table = {row["name"]: row for row in result.summary["datasets"]}
    assert {
        name: (row["users"], row["items"], row["reviews"], row["min_items"], row["max_items"], f"{row['density']:.4%}")
        for name, row in table.items()
    } == {
        "train": (9_566, 52_619, 61_803, 4, 57, "0.0123%"),
        "test": (1_426, 1_269, 1_426, 1, 1, "0.0788%"),
        "ratings": (9_566, 52_619, 63_229, 5, 57, "0.0126%"),
    }


@pytest.mark.parametrize("item_key", ["asin", "parent_asin"])
def test_every_real_review_is_read_unchanged(real_data: Path, item_key: str) -> None:
    lines = (real_data / "amazon-raw" / "Amazon_Fashion.16.jsonl").read_bytes().splitlines()
    rows = [json.loads(line) for line in lines]
    parsed = records.reviews(item_key).parse(lines)
    assert parsed.bad == []
    assert [column.to_pylist() for column in parsed.columns] == [
        [row[field] for row in rows] for field in ("user_id", item_key, "rating", "timestamp", "verified_purchase")
    ]
    assert len(rows) == 16
    assert {row["asin"] != row["parent_asin"] for row in rows} == {True, False}
    assert {row["verified_purchase"] for row in rows} == {True, False}


def test_every_real_item_is_read_with_nulls_and_lists_in_other_fields(real_data: Path) -> None:
    lines = (real_data / "amazon-raw" / "meta_Amazon_Fashion.500.jsonl").read_bytes().splitlines()
    rows = [json.loads(line) for line in lines]
    parsed = records.metadata().parse(lines)
    assert parsed.bad == []
    found = dict(zip(records.metadata().fields, (column.to_pylist() for column in parsed.columns), strict=True))
    assert found["item_id"] == [row["parent_asin"] for row in rows]
    for name in ("title", "main_category", "store", "price", "average_rating", "rating_number"):
        assert found[name] == [row[name] for row in rows]
    assert found["categories"] == [row["categories"] or None for row in rows]
    assert len(rows) == 500
    assert any(row["price"] is None for row in rows)
    assert any(row["images"] for row in rows)


def test_the_command_reads_the_real_files_together_with_others(raw: Raw, prepare: Prepare, real_data: Path) -> None:
    folder = real_data / "amazon-raw"
    reviews = [json.loads(line) for line in (folder / "Amazon_Fashion.16.jsonl").read_bytes().splitlines()]
    kept = [row for row in reviews if row["verified_purchase"]]
    others = raw.write("others.jsonl", json_lines([item(row["asin"], row["title"]) for row in reviews]))
    places = [
        "--reviews",
        str(folder / "Amazon_*.jsonl"),
        "--metadata",
        str(folder / "meta_*"),
        "--metadata",
        str(others),
    ]
    result = prepare("--min_items", "1", places=places)
    assert result.titles == {row["asin"]: row["title"] for row in kept}
    assert sorted(result.rows("train")) == sorted(
        (row["user_id"], row["asin"], row["rating"], row["timestamp"]) for row in kept
    )
    assert (result.summary["lines"]["reviews"]["good"], result.summary["lines"]["metadata"]["good"]) == (16, 516)
    assert result.rejects == []
