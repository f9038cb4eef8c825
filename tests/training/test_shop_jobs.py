"""Each documented command trains a model on the files of a shop or public data set."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.job import ROOT, Job
from support.shared import Shared

from recommender.pipeline.recommendations import Event, RecommendedItem
from recommender.pipeline.recommender import Recommender

SMALL_FILES = ROOT / "tests" / "data" / "files"
SECTION = (
    (ROOT / "docs" / "data.md").read_text(encoding="utf-8").partition("## Other column names")[2].partition("\n## ")[0]
)
COMMANDS = re.findall(r"^\.venv/bin/python train\.py (.*)$", SECTION.replace("\\\n", ""), re.MULTILINE)
NUM_USERS, NUM_ITEMS, EVENTS_OF_USER = 200, 80, 12
BEGIN = 1_433_221_332  # seconds
DAY, HOUR = 86_400, 3_600
SOME_USERS = range(0, NUM_USERS, 10)


@dataclass(frozen=True)
class Visits:
    """Events of users with one of two tastes: users only have events of items with the same parity.

    Attributes:
        user, item: (num_events,) int, in order of time.
        second: (num_events,) int. A user returns every few days and has several events within an hour.
        draw: (num_events,) float, random numbers from 0 to 1.
    """

    user: np.ndarray
    item: np.ndarray
    second: np.ndarray
    draw: np.ndarray

    @classmethod
    def planted(cls) -> "Visits":
        """Return the events."""
        random = np.random.default_rng(0)
        user = np.repeat(np.arange(NUM_USERS), EVENTS_OF_USER)
        item = 2 * (NUM_ITEMS // 2 * random.beta(1, 2, len(user))).astype(int) + user % 2
        session = np.tile(np.arange(EVENTS_OF_USER) // 4, NUM_USERS)
        second = (
            BEGIN + (3 * session + random.integers(0, 90, NUM_USERS)[user]) * DAY + random.integers(0, HOUR, len(user))
        )
        order = np.argsort(second, kind="stable")
        return cls(user[order], item[order], second[order], random.random(len(user)))


def retailrocket(folder: Path, visits: Visits) -> None:
    """Write the events in the format of RetailRocket."""
    kinds = np.select([visits.draw < 0.85, visits.draw < 0.95], ["view", "addtocart"], "transaction")
    bought = pd.Series(np.cumsum(kinds == "transaction"), dtype="Int64").where(pd.Series(kinds == "transaction"))
    columns = {"timestamp": visits.second * 1000, "visitorid": visits.user, "event": kinds, "itemid": visits.item,
               "transactionid": bought}  # fmt: skip
    pd.DataFrame(columns).to_csv(folder / "events.csv", index=False)


def hm(folder: Path, visits: Visits) -> None:
    """Write the events and names in the format of H&M."""
    days = pd.to_datetime(visits.second, unit="s").strftime("%Y-%m-%d")
    columns = {"t_dat": days, "customer_id": [f"{user:016x}" for user in visits.user],
               "article_id": [article(item) for item in visits.item], "price": visits.draw / 10,
               "sales_channel_id": 1 + visits.item % 2}  # fmt: skip
    pd.DataFrame(columns).to_csv(folder / "transactions_train.csv", index=False)
    names = [f"{'silk dress' if item % 2 else 'wool scarf'} {item}" for item in range(NUM_ITEMS)]
    articles = {"article_id": map(article, range(NUM_ITEMS)), "product_code": range(NUM_ITEMS), "prod_name": names}
    pd.DataFrame(articles).to_csv(folder / "articles.csv", index=False)


def article(item: int) -> str:
    """Return the ID of an item in the format of H&M."""
    return f"0{108775000 + item}"


def movielens(folder: Path, visits: Visits) -> None:
    """Write ratings and titles in the format of MovieLens."""
    columns = {"userId": visits.user, "movieId": visits.item, "rating": np.ceil(visits.draw * 10) / 2,
               "timestamp": visits.second}  # fmt: skip
    ratings = pd.DataFrame(columns).drop_duplicates(["userId", "movieId"])
    ratings.to_csv(folder / "ratings.csv", index=False)
    titles = [f'The "{"Silk" if item % 2 else "Wool"}" of {item}, The (1995)' for item in range(NUM_ITEMS)]
    movies = {"movieId": range(NUM_ITEMS), "title": titles, "genres": "Drama|Comedy"}
    pd.DataFrame(movies).to_csv(folder / "movies.csv", index=False)


@dataclass(frozen=True)
class Shop:
    """A file format of a shop or a public data set.

    Attributes:
        write: writes files in this format.
        small: a file of a few lines in this format.
        user_id, item_id: number -> ID.
    """

    write: Callable[[Path, Visits], None]
    small: str
    user_id: Callable[[int], str] = str
    item_id: Callable[[int], str] = str


SHOPS = {
    "events.csv": Shop(retailrocket, "retailrocket_events.csv"),
    "transactions_train.csv": Shop(hm, "hm_transactions.csv", lambda user: f"{user:016x}", article),
    "ratings.csv": Shop(movielens, "movielens_ratings.csv"),
}


def arguments(file: str, folder: Path) -> list[str]:
    """Return the arguments of the documented command for a file. The files and the job are in this folder."""
    (command,) = (words for words in map(shlex.split, COMMANDS) if file in words)
    return [str(folder / word) if word in ("my-job", file) or word.endswith(".csv") else word for word in command]


@pytest.fixture(scope="session", params=SHOPS)
def trained_shop(request: pytest.FixtureRequest, shared: Shared) -> tuple[Shop, Job, Recommender]:
    """Return a shop, its job trained by the documented command, and the recommender. Tests must not change them."""
    file: str = request.param
    shop = SHOPS[file]

    def make(folder: Path) -> None:
        shop.write(folder, Visits.planted())
        result = Job(folder / "my-job").train_here(*arguments(file, folder))
        assert (result.stderr, result.returncode) == ("", 0)
        (folder / "my-job" / "log").write_text(result.stdout)

    folder = shared.folder(f"shop-{Path(file).stem}", make)
    return shop, Job(folder / "my-job"), Recommender.load(folder / "my-job" / "model")


def share_of_taste(shop: Shop, items: list[RecommendedItem], parity: int) -> float:
    """Return the share of items with this parity."""
    of_taste = {shop.item_id(item) for item in range(parity, NUM_ITEMS, 2)}
    return float(np.mean([item.item_id in of_taste for item in items]))


def test_the_documentation_has_a_command_for_each_file_format() -> None:
    assert len(COMMANDS) == len(SHOPS)
    assert all(arguments(file, Path("folder")) for file in SHOPS)


def test_users_get_new_items_of_their_taste(trained_shop: tuple[Shop, Job, Recommender]) -> None:
    shop, _, recommender = trained_shop
    visits = Visits.planted()
    found = []
    for user in SOME_USERS:
        items = recommender.recommend(shop.user_id(user)).items
        seen = {shop.item_id(item) for item in visits.item[visits.user == user]}
        assert len({item.item_id for item in items} - seen) == 5
        found.append(share_of_taste(shop, items, user % 2))
    assert np.mean(found) > 0.95


def test_a_new_user_with_one_event_gets_items_of_that_taste(trained_shop: tuple[Shop, Job, Recommender]) -> None:
    shop, _, recommender = trained_shop
    for item in (2, 3):
        found = recommender.recommend("a new user", [Event(shop.item_id(item))]).items
        assert share_of_taste(shop, found, item % 2) > 0.5
        assert any(because.item_ids == [shop.item_id(item)] for because in found[0].because)


def test_ratings_are_predicted_only_for_files_with_ratings(trained_shop: tuple[Shop, Job, Recommender]) -> None:
    shop, job, recommender = trained_shop
    predicted = [item.predicted_rating for item in recommender.recommend(shop.user_id(0)).items]
    if shop is SHOPS["ratings.csv"]:
        assert None not in predicted
        assert "factorization is left out" not in job.log
    else:
        assert predicted == [None] * 5
        assert "factorization is left out: the events have no ratings\n" in job.log


def test_recommended_items_have_their_titles(trained_shop: tuple[Shop, Job, Recommender]) -> None:
    shop, _, recommender = trained_shop
    titles = [item.title for item in recommender.recommend(shop.user_id(1)).items]
    expected = {"events.csv": "None", "transactions_train.csv": "silk dress ", "ratings.csv": 'The "Silk" of '}
    (start,) = (text for file, text in expected.items() if SHOPS[file] is shop)
    assert all(str(title).startswith(start) for title in titles)


@pytest.mark.parametrize("file", SHOPS)
def test_a_model_can_be_trained_on_files_of_a_few_lines(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes((SMALL_FILES / SHOPS[file].small).read_bytes())
    (tmp_path / "articles.csv").write_text("article_id,prod_name\n0663713001,Atlanta Push Body Harlow\n")
    (tmp_path / "movies.csv").write_text('movieId,title,genres\n1,"Usual Suspects, The (1995)",Crime|Mystery\n')
    result = Job(tmp_path / "my-job").train_here(*arguments(file, tmp_path))
    assert (result.stderr, result.returncode) == ("", 0)
    assert len(Recommender.load(tmp_path / "my-job" / "model").recommend("a new user").items) > 1
