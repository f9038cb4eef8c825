"""The pipeline auto on a shop with two tastes: recommendations and reasons for different users."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from support import shop
from support.shop import DAY, NEWEST, NUM_ITEMS, item

from recommender.errors import RequestError
from recommender.pipeline.recommendations import Event, Recommendations, RecommendedItem
from recommender.pipeline.recommender import Recommender
from recommender.ranking.learned import LearnedRanking
from recommender.training.api import train

WOOL = {item(number) for number in range(0, NUM_ITEMS, 2)}
SILK = {item(number) for number in range(1, NUM_ITEMS, 2)}
NEW_WOOL, NEW_SILK = item(NUM_ITEMS), item(NUM_ITEMS + 1)
WORDS = re.compile(r"\w\w+")


@pytest.fixture(scope="module")
def auto() -> Recommender:
    return shop.recommender()


@pytest.fixture(scope="module")
def ordered() -> Recommender:
    """Return a recommender for the same events without times."""
    return train(shop.events().drop(columns="timestamp"), shop.titles(), **shop.SMALL)


@pytest.fixture(scope="module")
def unrated() -> Recommender:
    """Return a recommender for the same events without ratings; one of silk counts as much as three others."""
    table = shop.events()
    weight = np.where(table["item_id"].str.startswith("s"), 3.0, 1.0)
    return train(table.drop(columns="rating").assign(weight=weight), shop.titles(), **shop.SMALL)


def with_weights(recommender: Recommender, **weights: float) -> Recommender:
    return Recommender(replace(recommender.model, ranking=LearnedRanking(weights)))


def ids(found: Recommendations) -> list[str]:
    return [item.item_id for item in found.items]


def had(recommender: Recommender, user_id: str) -> list[str]:
    number = recommender.model.users.number(user_id)
    assert number is not None
    return [recommender.model.items.id(int(item)) for item in recommender.model.histories.of(number).item_num]


# --- known and new users ---


@pytest.mark.parametrize(("number", "taste"), [(4, WOOL), (5, SILK), (30, WOOL), (59, SILK)])
def test_a_known_user_gets_other_items_of_the_users_taste(auto: Recommender, number: int, taste: set[str]) -> None:
    user_id = f"u{number:02d}"
    found = auto.recommend(user_id)
    assert found.source == "model"
    assert set(ids(found)) <= taste - set(had(auto, user_id))
    assert len(found.items) == 5


@pytest.mark.parametrize("taste", [WOOL, SILK])
def test_a_new_user_with_a_history_gets_other_items_of_its_taste(auto: Recommender, taste: set[str]) -> None:
    history = sorted(taste)[:3]
    found = auto.recommend("nobody", [Event(item_id, 5.0) for item_id in history])
    assert found.source == "fold_in"
    assert set(ids(found)) <= taste - set(history)


def test_new_events_count_more_than_known_ones(auto: Recommender) -> None:
    """Check a user of wool with three new items of silk."""
    some = sorted(SILK)[:3]
    found = auto.recommend("u04", [Event(item_id) for item_id in some])
    assert found.source == "fold_in"
    assert not set(ids(found)) & {*some, *had(auto, "u04")}
    assert found.items[0].item_id in SILK
    assert auto.recommend("u04").items[0].item_id in WOOL


def test_a_new_user_with_a_known_users_history_gets_the_same_items(auto: Recommender) -> None:
    """Compare a known and a new user: only the factorization's vectors differ a little."""
    events = shop.events()
    for user_id in ("u00", "u07", "u33"):
        own = events[events["user_id"] == user_id]
        history = [Event(one, None, time) for one, time in zip(own["item_id"], own["timestamp"].tolist(), strict=True)]
        assert ids(auto.recommend("nobody", history, top_k=3)) == ids(auto.recommend(user_id, top_k=3))


def test_a_user_without_a_history_gets_popular_items_with_a_text(auto: Recommender, ordered: Recommender) -> None:
    for recommender, history in ((auto, []), (auto, [Event("spaceship", 5.0)]), (ordered, [])):
        found = recommender.recommend("nobody", history, top_k=8)
        assert found.source == "popular"
        assert len(found.items) == 8
        for one in found.items:
            assert one.sources == ["popularity"]
            (because,) = one.because
            assert because.text is not None
            assert because.text.startswith("popular")
            assert (because.source, because.share, because.item_ids, because.words) == ("popularity", 1.0, [], [])
    count = shop.events().groupby("item_id").size()
    assert [int(count[one]) for one in ids(ordered.recommend("nobody", top_k=8))] == sorted(count, reverse=True)[:8]


@pytest.mark.parametrize("weights", [{"ease": 1.0}, {}, {"titles x ease": 2.0}])
def test_popular_items_are_recommended_if_no_weighted_source_knows_the_user(
    auto: Recommender, weights: dict[str, float]
) -> None:
    """Rank by one source alone, so that popularity has no weight."""
    alone = with_weights(auto, **weights)
    found = alone.recommend("nobody", top_k=8)
    assert ids(found) == ids(auto.recommend("nobody", top_k=8))
    assert found.items[0].score == 1.0
    assert all(one.because[0].text for one in found.items)
    known = alone.recommend("u04", top_k=8)
    assert len(known.items) == 8
    scores = [one.score for one in known.items]
    assert scores == sorted(scores, reverse=True)


def test_without_targets_a_source_without_prior_weight_keeps_its_order() -> None:
    rows = shop.events().groupby("user_id").head(1)
    recommender = train(rows, candidate_sources="factorization", **shop.SMALL)
    assert recommender.model.ranking == LearnedRanking({})
    found = recommender.recommend("u00", top_k=10)
    ratings = [one.predicted_rating or 0 for one in found.items]
    assert len(ratings) == 10
    assert ratings == sorted(ratings, reverse=True)


PRODUCT: dict[str, float] = {"titles x ease": 1.0}


@pytest.mark.parametrize("weights", [{"ease": 1.0}, {"log ease": 1.0}, {"ease": 1.0, **PRODUCT}])
def test_a_source_without_own_weight_proposes_nothing(auto: Recommender, weights: dict[str, float]) -> None:
    found = with_weights(auto, **weights).recommend("u04", top_k=30).items
    assert {source for one in found for source in one.sources} == {"ease", "factorization", "popularity"}
    assert len(found) == len(auto.recommend("u04", top_k=30).items)  # the fallback has all items


@pytest.mark.parametrize("weights", [{}, PRODUCT])
def test_all_sources_propose_if_none_has_an_own_weight(auto: Recommender, weights: dict[str, float]) -> None:
    found = with_weights(auto, **weights).recommend("u04", top_k=30).items
    assert {source for one in found for source in one.sources} == set(auto.model.sources)


# --- what is excluded, how many ---


def test_seen_items_are_left_out_unless_exclude_seen_is_false(auto: Recommender) -> None:
    everything = {item(number) for number in range(NUM_ITEMS + 2)}
    own = set(had(auto, "u04"))
    assert set(ids(auto.recommend("u04", top_k=100))) == everything - own
    assert set(ids(auto.recommend("u04", top_k=100, exclude_seen=False))) == everything
    new = [Event(item_id) for item_id in sorted(SILK)[:2]]
    assert set(ids(auto.recommend("u04", new, top_k=100))) == everything - own - set(sorted(SILK)[:2])
    assert set(ids(auto.recommend("u04", new, top_k=100, exclude_seen=False))) == everything


def test_top_k_items_are_returned_if_the_catalogue_has_them(auto: Recommender) -> None:
    for top_k in (1, 5, NUM_ITEMS + 2 - 7):
        assert len(auto.recommend("u04", top_k=top_k).items) == top_k
    few = auto.recommend("u04", top_k=50, num_candidates=1)
    proposed = auto.recommend("u04", top_k=50, num_candidates=50)
    assert 1 <= len(few.items) <= len(auto.model.config.source_names)
    assert len(proposed.items) == NUM_ITEMS + 2 - 7


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True, "5"])
def test_top_k_must_be_a_whole_number_from_1(auto: Recommender, top_k: object) -> None:
    for field in ("top_k", "num_candidates"):
        with pytest.raises(RequestError, match=f"{field}: expected a whole number from 1, got"):
            auto.recommend("u04", **{field: top_k})  # type: ignore[arg-type]


# --- times ---


def stamped(times: Sequence[object], items: Sequence[str]) -> list[Event]:
    return [Event(one, 4.0, time) for one, time in zip(items, times, strict=True)]  # type: ignore[arg-type]


SECONDS = [NEWEST - 40 * DAY, NEWEST - 3600, NEWEST + DAY]


@pytest.mark.parametrize(
    "times",
    [
        SECONDS,
        [time * 1000 for time in SECONDS],
        [datetime.fromtimestamp(time, UTC).isoformat() for time in SECONDS],
        [SECONDS[0], SECONDS[1] * 10**6, datetime.fromtimestamp(SECONDS[2], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")],
    ],
)
@pytest.mark.parametrize("user_id", ["nobody", "u04"])
def test_times_may_be_seconds_milliseconds_or_iso_8601_in_any_order_of_the_events(
    auto: Recommender, times: list[object], user_id: str
) -> None:
    items = [item(1), item(3), item(10)]
    expected = auto.recommend(user_id, stamped(SECONDS, items))
    assert auto.recommend(user_id, stamped(times, items)) == expected
    assert auto.recommend(user_id, stamped(times[::-1], items[::-1])) == expected


def test_an_event_older_than_the_known_ones_comes_before_them(auto: Recommender) -> None:
    """Add an old event: the newest events of the history stay the newest."""
    newest = item(NUM_ITEMS - 1)
    old, new = (auto.query("u04", [Event(newest, 4.0, time)]) for time in (NEWEST - 100 * DAY, NEWEST + DAY))
    known = auto.query("u04").item_num.tolist()
    number = auto.model.items.number(newest)
    assert old.item_num.tolist() == [number, *known]
    assert new.item_num.tolist() == [*known, number]
    assert ids(auto.recommend("u04", [Event(newest, 4.0, NEWEST - 100 * DAY)]))[0] in WOOL


def test_an_event_without_a_time_is_newer_than_all_others(auto: Recommender) -> None:
    some = [Event(item(1), 4.0, NEWEST + DAY), Event(item(3), 4.0)]
    numbers = [auto.model.items.number(item(number)) for number in (1, 3)]
    assert auto.query("u04", some).item_num.tolist()[-2:] == numbers
    assert auto.query("u04", some[::-1]).item_num.tolist()[-2:] == numbers


def test_if_times_are_only_an_order_new_events_follow_the_known_ones(ordered: Recommender) -> None:
    assert ordered.model.histories.newest is None
    items = [item(1), item(3), item(9)]
    numbers = [ordered.model.items.number(one) for one in items]
    known = ordered.query("u04").item_num.tolist()
    for times in ([1, 2, 3], [-5, 0.5, 10**12], ["2020-01-01", "2020-01-02", "2020-01-03"], [None, None, None]):
        query = ordered.query("u04", stamped(times, items))
        assert query.item_num.tolist() == [*known, *numbers]
        assert ordered.recommend("u04", stamped(times, items)) == ordered.recommend("u04", stamped([1, 2, 3], items))
    reverse = ordered.query("u04", stamped([3, 2, 1], items))
    assert reverse.item_num.tolist() == [*known, *numbers[::-1]]
    assert "session_neighbours" not in ordered.model.sources


def test_a_model_whose_times_are_only_an_order_finds_the_tastes(ordered: Recommender) -> None:
    assert set(ids(ordered.recommend("u05"))) <= SILK
    assert set(ids(ordered.recommend("nobody", [Event(item(0)), Event(item(2))]))) <= WOOL | {NEW_WOOL}


# --- reasons ---


def check_because(recommender: Recommender, one: RecommendedItem, history: set[str]) -> None:
    shares = [because.share for because in one.because]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9
    assert len(shares) <= 3
    assert all(share >= 0.1 for share in shares)
    for because in one.because:
        assert because.source in recommender.model.components
        assert set(because.item_ids) <= history
        assert because.item_ids or because.text
        assert one.item_id not in because.item_ids
        titles = [title_of(recommender, item_id) for item_id in because.item_ids]
        for word in because.words:
            assert word in WORDS.findall((one.title or "").lower())
            assert any(word in WORDS.findall(title.lower()) for title in titles)
        assert (because.source == "titles") == bool(because.words)


def title_of(recommender: Recommender, item_id: str) -> str:
    number = recommender.model.items.number(item_id)
    assert number is not None
    return recommender.model.titles.text(number)


def test_reasons_are_parts_of_the_score_by_items_of_the_history_and_common_words(auto: Recommender) -> None:
    for number in range(shop.NUM_USERS):
        user_id = f"u{number:02d}"
        for one in auto.recommend(user_id, top_k=20).items:
            check_because(auto, one, set(had(auto, user_id)))
    history = [item(1), item(2), item(5)]
    for one in auto.recommend("nobody", [Event(item_id, 5.0) for item_id in history], top_k=20).items:
        check_because(auto, one, set(history))


def test_shares_are_rounded_down_so_that_three_of_them_are_no_more_than_one(auto: Recommender) -> None:
    thirds = with_weights(auto, ease=1.0, implicit_mf=1.0, neighbours=1.0)
    for number in range(shop.NUM_USERS):
        for one in thirds.recommend(f"u{number:02d}", top_k=20).items:
            assert sum(because.share for because in one.because) <= 1 + 1e-9


def test_a_reason_names_the_part_that_gives_the_score_alone(auto: Recommender) -> None:
    only_titles = with_weights(auto, titles=1.0)
    for one in only_titles.recommend("u04", top_k=3).items:
        (because,) = one.because
        assert (because.source, because.share, because.text) == ("titles", 1.0, None)
        assert len(because.item_ids) == 1
        assert {"wool", "scarf"} <= set(because.words)
    only_popular = with_weights(auto, popularity=1.0)
    assert {one.because[0].text for one in only_popular.recommend("u04").items} <= {
        *("popular", "popular today", "popular this week", "popular this month"),
        *("popular this quarter", "popular this year"),
    }


def test_the_parts_of_a_product_are_shared_by_both(auto: Recommender) -> None:
    both = with_weights(auto, **{"titles x ease": 1.0})
    (first, *_) = both.recommend("u04").items
    assert [(because.source, because.share) for because in first.because] == [("ease", 0.5), ("titles", 0.5)]


def test_an_item_names_the_sources_that_proposed_it(auto: Recommender) -> None:
    query = auto.query("u04")
    proposed = {
        name: {auto.model.items.id(int(number)) for number in found.item_num}
        for name in auto.model.config.source_names
        if name in auto.model.sources and (found := auto.model.sources[name].top(query.without_memo(), 100)) is not None
    }
    for one in auto.recommend("u04", top_k=30).items:
        assert one.sources == [name for name, own in proposed.items() if one.item_id in own]
        assert one.sources


# --- new items ---


def test_an_item_without_events_is_found_by_its_title(auto: Recommender) -> None:
    for user_id, new, other in (("u04", NEW_WOOL, NEW_SILK), ("u05", NEW_SILK, NEW_WOOL)):
        items = {one.item_id: one for one in auto.recommend(user_id, top_k=100).items}
        assert "titles" in items[new].sources
        assert items[new].sources == ["popularity", "titles"]  # what is popular ends with it in a small catalogue
        assert items[new].score > items[other].score
        assert items[new].because[0].source == "titles"


def test_the_title_alone_brings_a_new_item_among_the_first(auto: Recommender) -> None:
    """Check a user with all other items of wool."""
    history = [Event(item_id) for item_id in sorted(WOOL)]
    assert NEW_WOOL in ids(auto.recommend("nobody", history))


# --- other data ---


def test_without_ratings_and_with_weights_the_factorization_is_left_out(unrated: Recommender) -> None:
    assert "factorization" not in unrated.model.sources
    assert set(ids(unrated.recommend("u04"))) <= WOOL | {NEW_WOOL}
    assert set(ids(unrated.recommend("nobody", [Event(item(1)), Event(item(3))]))) <= SILK | {NEW_SILK}
    assert {one.predicted_rating for one in unrated.recommend("u04").items} == {None}
    popular = unrated.recommend("nobody", top_k=6)
    assert set(ids(popular)) <= SILK  # an event with one of them is worth three


def test_a_source_that_only_scores_proposes_nothing(auto: Recommender) -> None:
    recommender = shop.recommender(scored_sources="ease,implicit_mf")
    assert recommender.model.ranking is not None
    weights = recommender.model.ranking.weights
    assert {"ease", "implicit_mf"} & {part for column in weights for part in column.removeprefix("log ").split(" x ")}
    for one in recommender.recommend("u04", top_k=30).items:
        assert not {"ease", "implicit_mf"} & set(one.sources)
    assert set(ids(recommender.recommend("u04"))) <= WOOL


# --- one and many, saved and loaded ---


def test_batch_scoring_gives_the_results_of_single_requests(auto: Recommender) -> None:
    users = np.arange(shop.NUM_USERS)
    for number, (items, score, rating) in zip(users, auto.recommend_batch(users, 100, 7), strict=True):
        found = auto.recommend(auto.model.users.id(int(number)), top_k=7).items
        assert [auto.model.items.id(int(number)) for number in items] == [one.item_id for one in found]
        assert score.tolist() == [one.score for one in found]
        assert rating.tolist() == [one.predicted_rating for one in found]


def test_a_loaded_model_gives_the_recommendations_of_the_trained_one(auto: Recommender, tmp_path: Path) -> None:
    auto.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model")
    assert loaded.model.ranking == auto.model.ranking
    for user_id, history in (("u04", []), ("u05", [Event(item(2), 5.0, NEWEST)]), ("nobody", [Event(item(3))])):
        assert loaded.recommend(user_id, history) == auto.recommend(user_id, history)


def test_the_same_events_train_the_same_bytes_in_any_order_of_the_rows(auto: Recommender, tmp_path: Path) -> None:
    """Compare all sources except the factorization of ratings: its sums depend on the order."""
    shuffled = train(shop.events().sample(frac=1, random_state=1), shop.titles(), **shop.SMALL)
    again = shop.recommender()
    for name, recommender in (("first", auto), ("again", again), ("shuffled", shuffled)):
        recommender.save(tmp_path / name)
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == first
    for path in (tmp_path / "shuffled").iterdir():
        if path.name != "config.json" and not path.name.startswith("factorization."):
            assert path.read_bytes() == first[path.name], path.name
    for number in range(0, shop.NUM_USERS, 7):
        assert ids(shuffled.recommend(f"u{number:02d}", top_k=3)) == ids(auto.recommend(f"u{number:02d}", top_k=3))


def test_orders_are_those_of_requests_at_the_users_newest_time(auto: Recommender) -> None:
    for user_id in ("u04", "u05"):
        orders = auto.orders_by_name(user_id, 10)
        assert orders.keys() == {*auto.model.sources, "candidates", "final"}
        query = auto.query(user_id, as_of_history=True)
        assert query.now == query.history.time[-1]
        for name, source in auto.model.sources.items():
            found = source.top(query.without_memo(), 10)
            assert orders[name].tolist() == ([] if found is None else found.item_num.tolist())
        assert set(orders["final"].tolist()) <= set(orders["candidates"].tolist())
    stranger = auto.orders_by_name("nobody", 5)
    assert stranger["final"].tolist() == stranger["popularity"].tolist()
