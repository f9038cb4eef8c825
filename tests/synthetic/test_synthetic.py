import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.feature_extraction.text import TfidfVectorizer

from recommender.cli.synthesize import command
from recommender.synthetic.generate import Dataset, generate
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE


@pytest.fixture(scope="module")
def data() -> Dataset:
    return generate(num_users=3_000, num_items=1_000, num_ratings=20_000)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    write(folder)
    return folder


def write(folder: Path, *options: str) -> str:
    sizes = ["--users", "200", "--items", "150", "--ratings", "3000"]
    result = CliRunner().invoke(command, ["--output", str(folder), *sizes, *options])
    assert result.exit_code == 0, result.output
    return result.output


def rows_of(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kinds(rows: list[dict[str, Any]]) -> dict[str, set[type]]:
    return {field: {type(row[field]) for row in rows} for field in rows[0]}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(written: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    write(tmp_path / "other", "--seed", "1")
    assert contents(tmp_path / "again") == contents(written)
    other = contents(tmp_path / "other")
    assert other.keys() == contents(written).keys()
    assert not [name for name, content in contents(written).items() if other[name] == content]


@pytest.mark.parametrize(("users", "items", "ratings"), [(1, 1, 1), (1, 5, 30), (50, 1, 50), (10, 1000, 100)])
def test_any_size_is_generated_exactly(users: int, items: int, ratings: int) -> None:
    data = generate(users, items, ratings)
    assert (len(set(data.user_id)), len(set(data.parent_asin)), len(data.rating)) == (users, items, ratings)
    assert len(data.title) == items
    assert set(data.user_num.tolist()) == set(range(users))


def test_too_few_ratings_for_the_users_are_refused_by_name(tmp_path: Path) -> None:
    arguments = ["--output", str(tmp_path / "x"), "--users", "10", "--ratings", "9"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "--ratings" in result.output
    assert not (tmp_path / "x").exists()


def test_ratings_are_skewed_to_5_and_some_reviews_are_unverified(data: Dataset) -> None:
    shares = np.bincount(data.rating, minlength=6)[1:] / len(data.rating)
    assert shares[4] > 0.5
    assert shares.min() > 0.03
    assert 0.04 < 1 - data.verified.mean() < 0.09


def test_items_are_long_tailed(data: Dataset) -> None:
    counts = np.sort(np.bincount(data.item_num, minlength=1_000))[::-1]
    assert counts[:100].sum() > 0.4 * counts.sum()


def test_variants_have_different_asins(data: Dataset) -> None:
    parent = data.parent_asin[data.item_num]
    assert 0.25 < (data.asin() != parent).mean() < 0.45
    variants = pd.Series(parent).groupby(data.asin()).nunique()
    assert variants.max() == 1  # each asin belongs to one parent


def test_some_titles_and_most_prices_are_missing(data: Dataset) -> None:
    assert 0 < sum(title is None for title in data.title) < 50
    assert np.isnan(data.price).mean() > 0.85


def test_titles_carry_signal(data: Dataset) -> None:
    """Compare the titles of items that one user rated with the titles of random items."""
    vectors = TfidfVectorizer().fit_transform([title or "" for title in data.title])
    random = np.random.default_rng(0)
    by_user = pd.Series(data.item_num).groupby(data.user_num).apply(lambda items: items.drop_duplicates().to_list())
    pairs = np.array([random.choice(items, 2, replace=False) for items in by_user if len(items) > 1])
    chance = random.integers(1_000, size=pairs.shape)

    def similarity(of: np.ndarray) -> float:
        return float(vectors[of[:, 0]].multiply(vectors[of[:, 1]]).sum(axis=1).mean())

    assert similarity(pairs) > 1.5 * similarity(chance)


def test_ratings_carry_signal(data: Dataset) -> None:
    """Correlate ratings with the mean of the item's other ratings."""
    total = np.bincount(data.item_num, data.rating, minlength=1_000)
    count = np.bincount(data.item_num, minlength=1_000)
    several = count[data.item_num] > 10
    others = (total[data.item_num] - data.rating)[several] / (count[data.item_num] - 1)[several]
    assert np.corrcoef(others, data.rating[several])[0, 1] > 0.2


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (REVIEWS_FILE, "Amazon_Fashion.16.jsonl"),
        (METADATA_FILE, "meta_Amazon_Fashion.500.jsonl"),
    ],
)
def test_raw_files_have_the_schema_of_the_real_ones(written: Path, real_data: Path, ours: str, theirs: str) -> None:
    made, real = rows_of(written / ours), rows_of(real_data / "amazon-raw" / theirs)
    assert list(made[0]) == list(real[0])
    allowed = kinds(real)
    if "meta" in ours:
        allowed["title"].add(type(None))  # the real file has null titles, the sample of 500 rows has none
    assert {field: types for field, types in kinds(made).items() if not types <= allowed[field]} == {}


@pytest.mark.real_data
def test_titles_are_as_long_as_real_ones(data: Dataset, real_data: Path) -> None:
    real = pd.read_csv(real_data / "amazon-raw" / "fashion_titles.csv.gz", keep_default_na=False)["title"]
    words = [len(re.findall(r"\w\w+", title)) for title in data.title if title]
    real_words = real.str.count(r"\w\w+")
    assert real_words.quantile(0.25) <= np.mean(words) <= real_words.quantile(0.75)


def test_timestamps_are_milliseconds_of_the_years_of_the_data_set(data: Dataset) -> None:
    years = pd.to_datetime(data.timestamp, unit="ms").year
    assert years.min() >= 2012
    assert years.max() <= 2023
    assert (data.timestamp % 1000 != 0).any()
