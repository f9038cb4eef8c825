"""The pipeline paper against a plain implementation of the paper's two stages, and its responses to users."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from support.job import Job
from support.model import factors_of

from recommender.cli import train
from recommender.errors import RequestError
from recommender.pipeline.recommendations import Because, Event
from recommender.pipeline.recommender import AT_ONCE, Recommender
from recommender.pipeline.size import LARGE
from recommender.training.api import train as train_in_memory

TITLES = {
    "shirt": "red wool shirt",
    "coat": "red wool coat",
    "skirt": "blue silk skirt",
    "hat": "",
    "scarf": "blue scarf",
}


class PlainTwoStages:
    """Compute sections 3.2 and 3.3 of the paper literally, dense and slowly, from the training files."""

    def __init__(self, job: Job, recommender: Recommender) -> None:
        self.train = job.ratings().sort_values("timestamp", kind="stable")
        titles = job.titles().set_index("item_id")["title"]
        self.items = sorted(self.train["item_id"].unique())
        self.titles = titles.reindex(self.items).fillna("").tolist()
        known = [title for title in self.titles if title]
        self.vectorizer = TfidfVectorizer().fit(known)
        factors = factors_of(recommender)
        numbers = np.arange(len(self.items))
        self.predicted = (
            factors.global_mean
            + factors.user_bias.astype(float)[:, None]
            + factors.item_bias.astype(float)[None]
            + factors.user_embedding.astype(float) @ factors.item_embedding(numbers).T
        )
        self.users = sorted(self.train["user_id"].unique())

    def recommend(self, user_id: str, top_k: int = 5, num_candidates: int = 100) -> list[tuple[str, float]]:
        predicted = self.predicted[self.users.index(user_id)]
        history = self.train[self.train["user_id"] == user_id]
        seen = set(history["item_id"])
        candidates = [item for item in np.argsort(-predicted, kind="stable") if self.items[item] not in seen]
        candidates = candidates[:num_candidates]
        rows = self._vectors([self.items.index(item) for item in history["item_id"]])
        profile = np.average(rows, axis=0, weights=history["rating"])[None]
        similarity = cosine_similarity(profile, self._vectors(candidates))[0]
        order = sorted(range(len(candidates)), key=lambda at: (not self.titles[candidates[at]], -similarity[at], at))
        return [(self.items[candidates[at]], similarity[at]) for at in order[:top_k]]

    def _vectors(self, items: list[int]) -> NDArray[np.float64]:
        return np.asarray(self.vectorizer.transform([self.titles[item] for item in items]).toarray())


@pytest.fixture(scope="module")
def paper(trained: Job) -> Recommender:
    """Return a recommender of the pipeline paper for the events and titles of `trained`."""
    return train_in_memory(trained.ratings(), trained.titles(), embedding_dim=16, pipeline="paper")


def test_recommendations_are_those_of_the_papers_two_stages(trained: Job, paper: Recommender) -> None:
    plain = PlainTwoStages(trained, paper)
    for user_id in plain.users:
        answer = paper.recommend(user_id)
        expected = plain.recommend(user_id)
        assert answer.source == "model"
        assert [item.item_id for item in answer.items] == [item_id for item_id, _ in expected]
        assert [item.features["similarity"] or 0 for item in answer.items] == pytest.approx(
            [s for _, s in expected], abs=1e-6
        )
        for item in answer.items:
            row = plain.items.index(item.item_id)
            assert item.title == (plain.titles[row] or None)
            assert item.predicted_rating == pytest.approx(plain.predicted[plain.users.index(user_id), row], abs=1e-6)


def test_a_trained_user_equals_a_new_one_with_the_same_history(trained: Job, paper: Recommender) -> None:
    ratings = trained.ratings().sort_values("timestamp", kind="stable")
    for user_id, own in list(ratings.groupby("user_id"))[:50]:
        if own["item_id"].duplicated().any():
            continue  # in a request the newest rating of an item wins, in training both count
        history = [Event(item_id, float(rating)) for item_id, rating in zip(own["item_id"], own["rating"], strict=True)]
        known, new = paper.recommend(str(user_id)), paper.recommend("nobody", history)
        assert new.source == "fold_in"
        assert [item.item_id for item in new.items] == [item.item_id for item in known.items]
        for one, other in zip(known.items, new.items, strict=True):
            assert one.predicted_rating == pytest.approx(other.predicted_rating, abs=1e-4)
            assert one.because == other.because


@pytest.fixture
def shop(job: Job) -> Recommender:
    """Return a recommender for five items with simple titles."""
    rows = [("ann", "shirt", 5), ("ann", "skirt", 1), ("bob", "shirt", 4), ("bob", "coat", 5), ("cy", "hat", 3)]
    rows += [("dee", "scarf", 2), ("dee", "hat", 4)]
    job.write("train/a.csv", pd.DataFrame(rows, columns=["user_id", "item_id", "rating"]).to_csv())
    job.write("items/a.csv", "item_id,title\n" + "".join(f"{item},{title}\n" for item, title in TITLES.items()))
    job.write_hyperparameters(embedding_dim="2", pipeline="paper")
    assert train.main([]) == 0
    return Recommender.load(job.container.model_dir)


def by_title(item_id: str, *words: str) -> Because:
    return Because("title_similarity", 1.0, [item_id], list(words))


def ids(recommender: Recommender, *arguments: Any, **options: Any) -> list[str]:  # noqa: ANN401
    return [item.item_id for item in recommender.recommend(*arguments, **options).items]


def test_the_title_decides_and_the_reason_is_named(shop: Recommender) -> None:
    answer = shop.recommend("ann")
    assert [item.item_id for item in answer.items] == ["coat", "scarf", "hat"]  # hat has no title: last
    coat, scarf, hat = answer.items
    assert (coat.because, coat.title) == ([by_title("shirt", "red", "wool")], "red wool coat")
    assert (scarf.because, scarf.title) == ([by_title("skirt", "blue")], "blue scarf")
    assert (hat.because, hat.title, hat.features["similarity"]) == ([], None, None)
    assert coat.score == coat.features["similarity"]


def test_seen_items_are_returned_if_exclude_seen_is_false(shop: Recommender) -> None:
    assert "shirt" not in ids(shop, "ann")
    assert set(ids(shop, "ann", exclude_seen=False)) == set(TITLES)


def test_top_k_and_num_candidates_limit_the_response(shop: Recommender) -> None:
    assert len(ids(shop, "ann", top_k=2)) == 2
    assert len(ids(shop, "ann", top_k=5, num_candidates=1)) == 1


def test_a_large_request_pauses_between_its_parts_and_its_response_is_the_same(recommender: Recommender) -> None:
    user, items = recommender.model.users.id(0), recommender.model.items
    history = [Event(items.id(number)) for number in range(len(items))]
    pauses: list[None] = []
    options: dict[str, Any] = {"top_k": len(items), "exclude_seen": False}
    paused = recommender.recommend(user, history, pause=lambda: pauses.append(None), **options)
    assert paused == recommender.recommend(user, history, **options)
    assert len(pauses) > len(paused.items) // AT_ONCE + 3
    for sizes in ({"top_k": LARGE + 1}, {"num_candidates": LARGE + 1}, {"history": history[: LARGE + 1]}):
        pauses.clear()
        recommender.recommend(user, pause=lambda: pauses.append(None), **sizes)
        assert pauses
    recommender.recommend(user, history[:LARGE], num_candidates=LARGE, pause=pytest.fail)


def test_an_unknown_user_gets_popular_items(shop: Recommender) -> None:
    answer = shop.recommend("nobody")
    assert answer.source == "popular"
    assert [item.item_id for item in answer.items] == ["hat", "shirt", "coat", "scarf", "skirt"]  # ties by item number
    assert answer.items[0].score == 1.0
    assert answer.items[0].because == [Because("popularity", 1.0, [], [], "popular")]


def test_a_history_of_unknown_items_only_changes_nothing(shop: Recommender) -> None:
    history = [Event("spaceship", 5.0)]
    assert shop.recommend("nobody", history).source == "popular"
    assert shop.recommend("ann", history) == shop.recommend("ann")


def test_newer_events_of_a_known_user_are_added_and_excluded(shop: Recommender) -> None:
    answer = shop.recommend("ann", [Event("coat", 5.0)])
    assert answer.source == "fold_in"
    assert "coat" not in [item.item_id for item in answer.items]


def test_the_newest_rating_of_an_item_wins(shop: Recommender) -> None:
    assert shop.recommend("ann", [Event("shirt", 1.0), Event("shirt", 5.0)]) == shop.recommend(
        "ann", [Event("shirt", 5.0)]
    )
    changed = shop.recommend("ann", [Event("shirt", 1.0), Event("skirt", 5.0)])
    assert changed.items[0].item_id == "scarf"  # now the blue things


def test_a_rating_out_of_range_is_refused_by_field(shop: Recommender) -> None:
    with pytest.raises(RequestError, match=r"history\[1\]\.rating: expected a number from 1 to 5, got 6"):
        shop.recommend("ann", [Event("coat", 5.0), Event("hat", 6.0)])


def test_without_titles_the_order_is_that_of_the_candidates(job: Job) -> None:
    job.write("train/a.csv", "user_id,item_id,rating\na,x,5\na,y,1\nb,x,4\nb,z,5\nc,y,1\n")
    job.write_hyperparameters(pipeline="paper")
    assert train.main([]) == 0
    answer = Recommender.load(job.container.model_dir).recommend("c")
    ratings = [item.predicted_rating or 0 for item in answer.items]
    assert {item.item_id for item in answer.items} == {"x", "z"}
    assert ratings == sorted(ratings, reverse=True)
    assert [item.score for item in answer.items] == [1.0, 0.0]
    assert {item.features["similarity"] for item in answer.items} == {None}


def test_with_rerank_weight_0_the_order_is_that_of_the_candidates(job: Job) -> None:
    job.write_synthetic(users=100, items=80, ratings=900)
    job.write_hyperparameters(embedding_dim="4", rerank_weight="0", pipeline="paper")
    assert train.main([]) == 0
    recommender = Recommender.load(job.container.model_dir)
    for number in range(len(recommender.model.users)):
        items = recommender.recommend(recommender.model.users.id(number), top_k=20).items
        ratings = [item.predicted_rating or 0 for item in items]
        assert ratings == sorted(ratings, reverse=True)


@pytest.fixture
def sigmoid(job: Job) -> Recommender:
    job.write_synthetic(users=100, items=80, ratings=900)
    options = {"model": "sigmoid", "solver": "adam", "embedding_dim": "4", "max_epochs": "3", "rerank_weight": "0"}
    job.write_hyperparameters(**options, pipeline="paper")
    assert train.main([]) == 0
    return Recommender.load(job.container.model_dir)


def test_with_sigmoid_a_new_user_gets_popular_items_without_those_of_the_history(sigmoid: Recommender) -> None:
    popular = [item.item_id for item in sigmoid.recommend("stranger", top_k=80).items]
    history = [Event(item_id, 5.0) for item_id in popular[:2]]
    answer = sigmoid.recommend("stranger", history, top_k=78)
    assert [item.item_id for item in answer.items] == popular[2:]  # the history is left out
    again = sigmoid.recommend("stranger", history, top_k=80, exclude_seen=False)
    assert [item.item_id for item in again.items] == popular
    assert answer.source == "popular"
    assert {item.predicted_rating for item in answer.items} == {None}  # the equation knows nothing of a new user


def test_with_sigmoid_ratings_stay_in_range_and_newer_events_count_as_seen(sigmoid: Recommender) -> None:
    user_id = sigmoid.model.users.id(0)
    answer = sigmoid.recommend(user_id, top_k=80, num_candidates=80)
    ratings = [item.predicted_rating or 0 for item in answer.items]
    assert ratings == sorted(ratings, reverse=True)
    assert all(1 < rating < 5 for rating in ratings)
    first = answer.items[0].item_id
    newer = sigmoid.recommend(user_id, [Event(first, 5.0)], top_k=80, num_candidates=80)
    assert newer.source == "model"
    assert [item.item_id for item in newer.items] == [item.item_id for item in answer.items[1:]]


def test_with_basic_a_new_user_is_solved_without_biases(job: Job) -> None:
    job.write_synthetic(users=100, items=80, ratings=900)
    job.write_hyperparameters(model="basic", embedding_dim="4", duplicates="last", pipeline="paper")
    assert train.main([]) == 0
    recommender = Recommender.load(job.container.model_dir)
    item_num, rating, *_ = recommender.model.histories.of(7)
    history = [
        Event(recommender.model.items.id(int(item)), float(value)) for item, value in zip(item_num, rating, strict=True)
    ]
    known, new = recommender.recommend(recommender.model.users.id(7)), recommender.recommend("new", history)
    assert (known.source, new.source) == ("model", "fold_in")
    assert [item.item_id for item in new.items] == [item.item_id for item in known.items]
    assert [item.predicted_rating for item in new.items] == pytest.approx(
        [item.predicted_rating for item in known.items]
    )
