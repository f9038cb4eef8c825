"""Rules: whatever a request demands, the response obeys it and is as long as it can be."""

import datetime
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support import shop

from recommender.errors import RequestError
from recommender.pipeline.recommendations import Event, Recommendations
from recommender.pipeline.recommender import Recommender
from recommender.rules import RULES
from recommender.rules.explore import FEW_EVENTS
from recommender.training.api import train

ITEMS = shop.titles()["item_id"].tolist()
USERS = [f"u{number:02d}" for number in range(shop.NUM_USERS)]
FRAME = shop.attributes().set_index("item_id")
EVENTS = shop.events()
SEEN = EVENTS.groupby("user_id")["item_id"].agg(set).to_dict()
COUNT = EVENTS["item_id"].value_counts().reindex(ITEMS, fill_value=0)


@pytest.fixture(scope="module", params=["auto", "paper"])
def recommender(request: pytest.FixtureRequest) -> Recommender:
    return shop.with_attributes(shop.recommender(pipeline=request.param))


@pytest.fixture(scope="module")
def auto() -> Recommender:
    return shop.with_attributes(shop.recommender())


def ids(found: Recommendations) -> list[str]:
    return [item.item_id for item in found.items]


def of(item: str, name: str) -> Any:  # noqa: ANN401 - of any type
    """Return the value of an attribute from the frame; None if it is missing. An independent look-up."""
    cell = FRAME[name].array[FRAME.index.get_loc(item)]
    return None if cell is None or str(cell) == "<NA>" else cell


# --- conditions, and whether an item meets them: written anew, item by item ---

NUMBERS = st.sampled_from([0.0, 5.0, 12.5, 20.0, 25.0])
STORES = st.lists(st.sampled_from(["A", "B", "C", "other"]), min_size=1, max_size=3)
TEXTS = st.lists(st.sampled_from([*shop.KINDS, *shop.COLOURS, "other"]), min_size=1, max_size=3)
MISSING = st.fixed_dictionaries({}, optional={"missing": st.booleans()})
RANGES = st.fixed_dictionaries({}, optional={"min": NUMBERS, "max": NUMBERS, "missing": st.booleans()})
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "price": RANGES.filter(lambda one: one and one.get("min", 0) <= one.get("max", 99)),
        "store": st.fixed_dictionaries({}, optional={"any": STORES, "not": STORES, "missing": st.booleans()}),
        "categories": st.fixed_dictionaries(
            {}, optional={"any": TEXTS, "all": TEXTS, "not": TEXTS, "missing": st.booleans()}
        ),
        "in_stock": st.fixed_dictionaries({}, optional={"is": st.booleans(), "missing": st.booleans()}),
    },
).filter(lambda conditions: conditions and all(conditions.values()))


def meets_part(own: Any, texts: set[str], part: str, wanted: Any) -> bool:  # noqa: ANN401 - of any type
    if part in ("any", "all", "not"):
        common = texts & set(wanted)
        return {"any": bool(common), "all": common == set(wanted), "not": not common}[part]
    return own is not None and bool({"min": own >= wanted, "max": own <= wanted, "is": own == wanted}[part])


def meets(item: str, conditions: dict[str, dict[str, Any]]) -> bool:
    for name, condition in conditions.items():
        own = of(item, name)
        texts = set() if own is None else set(own) if name == "categories" else {own}
        parts = {part: wanted for part, wanted in condition.items() if part != "missing"}
        missing = condition.get("missing")
        if own is None and missing is not None:
            if not missing:
                return False
        elif not all(meets_part(own, texts, part, wanted) for part, wanted in parts.items()) or (missing and not parts):
            return False
    return True


RULE_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "filter": CONDITIONS,
        "allow": st.lists(st.sampled_from([*ITEMS, "unknown"]), max_size=2 * len(ITEMS)),
        "deny": st.lists(st.sampled_from([*ITEMS, "unknown"]), max_size=10),
        "max_per": st.fixed_dictionaries(
            {}, optional={"store": st.integers(1, 3), "categories": st.integers(1, 9), "in_stock": st.integers(1, 9)}
        ).filter(bool),
        "diversity": st.floats(0, 1),
        "promote": st.fixed_dictionaries({"filter": CONDITIONS, "share": st.floats(0, 0.5)}),
        "explore": st.floats(0, 0.5),
    },
)
WHO = st.sampled_from([*USERS, "stranger"])
HISTORIES = st.lists(st.sampled_from([*ITEMS, "unknown"]), max_size=4)


def groups(item: str, name: str) -> list[Any]:
    own = of(item, name)
    return [] if own is None else list(own) if name == "categories" else [own]


def obeys_caps(items: list[str], caps: dict[str, int]) -> bool:
    for name, most in caps.items():
        values = [one for item in items for one in groups(item, name)]
        if any(values.count(one) > most for one in values):
            return False
    return True


@given(st.data())
def test_whatever_the_rules_the_response_obeys_them_and_has_as_many_items_as_there_are(
    recommender: Recommender, data: st.DataObject
) -> None:
    rules: dict[str, Any] = data.draw(RULE_VALUES)
    user = data.draw(WHO)
    if recommender.model.config.pipeline == "paper":
        rules.pop("explore", None)
    history, top_k = data.draw(HISTORIES), data.draw(st.integers(1, 30))
    num_candidates = data.draw(st.sampled_from([top_k, max(top_k, 30), 100]))
    found = recommender.recommend(
        user, [Event(item, 4.0) for item in history], top_k=top_k, num_candidates=num_candidates, **rules
    )
    items = ids(found)
    catalogue = [*recommender.model.items]
    seen = SEEN.get(user, set()) | set(history)
    allowed = [
        item
        for item in catalogue
        if item not in seen
        and item not in rules.get("deny", ())
        and item in rules.get("allow", catalogue)
        and meets(item, rules.get("filter", {}))
    ]
    assert len(set(items)) == len(items) <= top_k
    assert set(items) <= set(allowed)
    caps = rules.get("max_per", {})
    assert obeys_caps(items, caps)
    if len(items) < top_k:  # nothing that is allowed could be added
        others = [item for item in allowed if item not in items]
        assert not [item for item in others if obeys_caps([*items, item], caps)]
    if rules.keys() <= {"filter", "allow", "deny", "max_per"}:
        scores = [item.score for item in found.items]
        assert len(caps) > 0 or scores == sorted(scores, reverse=True)
        assert [item.rule for item in found.items] == [None] * len(items)


@given(CONDITIONS, WHO, st.integers(1, 26))
def test_a_filter_keeps_the_order_of_the_items_that_meet_it(
    auto: Recommender, conditions: dict[str, Any], user: str, top_k: int
) -> None:
    # Each source alone: the blend scales a source by its best candidate, which the filter may leave out.
    query = auto.query(user)
    mask = np.array([meets(item, conditions) for item in auto.model.items])
    for source in auto.model.sources.values():
        everything, found = source.top(query, 100), source.top(query.restricted(mask), top_k)
        assert (everything is None) == (found is None)
        if everything is not None and found is not None:
            assert found.item_num.tolist() == [item for item in everything.item_num.tolist() if mask[item]][:top_k]


@given(st.floats(0, 1), CONDITIONS, WHO, st.integers(1, 15))
def test_of_the_first_n_items_the_whole_part_of_the_share_is_promoted(
    recommender: Recommender, share: float, conditions: dict[str, Any], user: str, top_k: int
) -> None:
    found = recommender.recommend(user, top_k=top_k, promote={"filter": conditions, "share": share})
    items = ids(found)
    promoted = [meets(item, conditions) for item in items]
    available = sum(meets(item, conditions) for item in recommender.model.items if item not in SEEN.get(user, ()))
    for count in range(1, len(items) + 1):
        assert sum(promoted[:count]) >= min(math.floor(share * count), available)
    for item, is_promoted in zip(found.items, promoted, strict=True):
        assert item.rule in (None, "promote")
        assert item.rule is None or is_promoted


@given(st.floats(0, 1), st.sampled_from(USERS), st.integers(1, 10))
def test_of_the_first_n_items_the_whole_part_of_the_share_is_cold(
    auto: Recommender, share: float, user: str, top_k: int
) -> None:
    found = auto.recommend(user, top_k=top_k, explore=share)
    cold = [bool(COUNT[item] < FEW_EVENTS) for item in ids(found)]
    similar = auto.model.sources["titles"].top(auto.query(user).restricted(auto.model.num_events < FEW_EVENTS), 100)
    available = len(similar.item_num) if similar is not None else 0
    for count in range(1, len(cold) + 1):
        assert sum(cold[:count]) >= min(math.floor(share * count), available)
    for item in found.items:
        if item.rule == "explore":
            assert [because.source for because in item.because] in ([], ["titles"])
            assert COUNT[item.item_id] < FEW_EVENTS


def test_a_cold_item_of_the_users_taste_comes_first_among_cold_items(auto: Recommender) -> None:
    for number in range(10):
        found = auto.recommend(USERS[number], top_k=5, explore=0.2)
        assert ids(found)[4] == ("w24" if number % 2 == 0 else "s25")
        assert found.items[4].rule == "explore"
        assert found.items[4].because[0].words


@given(WHO, st.integers(1, 26))
def test_rules_without_effect_change_nothing(recommender: Recommender, user: str, top_k: int) -> None:
    plain = recommender.recommend(user, top_k=top_k)
    without_effect: tuple[dict[str, Any], ...] = (
        {"deny": ["unknown"]},
        {"diversity": 0.0},
        {"max_per": {"store": 1000}},
        {"promote": {"filter": {"price": {"min": 0}}, "share": 0.0}},
        {"filter": {"released": {"missing": False}}},
    )
    for rules in without_effect:
        assert ids(recommender.recommend(user, top_k=top_k, **rules)) == ids(plain)


def test_with_diversity_one_each_item_is_the_least_similar_to_those_before(auto: Recommender) -> None:
    vectors = next(filter(None, (part.title_vectors() for part in auto.model.components.values())))
    found = ids(auto.recommend("u03", top_k=12, diversity=1.0))
    dense = np.zeros((len(auto.model.items), vectors.num_terms))
    for item in range(len(dense)):
        own = slice(vectors.offsets[item], vectors.offsets[item + 1])
        dense[item, vectors.term[own]] = vectors.weight[own]
    cosine = dense @ dense.T
    numbers = auto.model.items.numbers(found)
    allowed = [auto.model.items.number(item) for item in ITEMS if item not in SEEN["u03"]]
    for place in range(1, len(numbers)):
        largest = {other: cosine[other, numbers[:place]].max() for other in allowed if other not in numbers[:place]}
        assert largest[int(numbers[place])] == pytest.approx(min(largest.values()), abs=1e-6)


def test_more_diversity_gives_titles_that_are_less_alike(auto: Recommender) -> None:
    kinds = [len({item[0] for item in ids(auto.recommend("u03", diversity=weight))}) for weight in (0.0, 1.0)]
    assert kinds == [1, 2]


def test_variants_of_one_parent_count_as_one_item() -> None:
    plain = shop.with_attributes(shop.recommender())
    config = plain.model.config.model_copy(update={"parent_attribute": "categories"})
    found = Recommender(replace(plain.model, config=config))
    for user in ["stranger", *USERS[:10]]:
        items = ids(found.recommend(user, top_k=26))
        assert obeys_caps(items, {"categories": 1})
        seen = {one for item in SEEN.get(user, ()) for one in groups(item, "categories")}
        assert not [item for item in items if seen & set(groups(item, "categories"))]
        number = found.model.users.number(user)
        if number is not None:
            ((batch, _, _),) = found.recommend_batch(np.array([number]), 100, 26)
            assert [found.model.items.id(item) for item in batch.tolist()] == items
    assert sorted(ids(found.rank("u03", ITEMS[:12]))) == sorted(ITEMS[:12])  # all that were given


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"filter": {"prise": {"max": 1}}},
            "filter: unknown attribute 'prise'; the items have price \\(number\\)",
        ),
        ({"filter": {"price": {"any": ["A"]}}}, "filter.price.any: unknown name; .* missing, min, max"),
        ({"filter": {"price": {}}}, "filter.price: expected at least one of missing, min, max"),
        ({"filter": {"store": {"any": []}}}, "filter.store.any: expected at least 1 entry, got 0"),
        ({"filter": {}}, "filter: expected at least 1 entry, got 0"),
        ({"filter": {"price": {"max": None}}}, "filter.price: expected at least one of missing, min, max"),
        ({"filter": {f"a{number}": {"max": 1} for number in range(21)}}, "filter: expected at most 20 entries, got 21"),
        ({"filter": {"price": 5}}, "filter.price: expected an object with some of missing, min, max, got 5"),
        ({"filter": {"price": {"min": 5, "max": 4}}}, "filter.price: expected min of at most max, which is 4, got 5"),
        ({"filter": {"price": {"max": "5"}}}, "filter.price.max: expected a valid number, got '5'"),
        ({"filter": {"store": {"any": "A"}}}, "filter.store.any: expected a valid list, got 'A'"),
        ({"filter": {"store": {"any": []}}}, "filter.store.any: "),
        ({"filter": {"in_stock": {"is": 1}}}, "filter.in_stock.is: expected a valid boolean, got 1"),
        ({"filter": {"released": {"min": "soon"}}}, "filter.released.min: expected a date or time such as"),
        ({"filter": {}}, "filter: "),
        ({"filter": []}, "filter: expected an object, got a list of 0"),
        ({"max_per": {"price": 2}}, "max_per.price: expected an attribute with values that items share, got .* number"),
        ({"max_per": {"store": 0}}, "max_per.store: expected greater than or equal to 1, got 0"),
        ({"promote": {"filter": {"price": {"max": 5}}}}, "promote.share: is missing"),
        ({"promote": {"filter": {"x": {"max": 5}}, "share": 0.1}}, "promote.filter: unknown attribute 'x'"),
        (
            {"promote": {"filter": {"price": {"max": 5}}, "share": 0.6}, "explore": 0.5},
            "promote: expected shares of explore and promote of at most 1 together, got 1.1",
        ),
        ({"explore": 1.1}, "explore: expected less than or equal to 1, got 1.1"),
        ({"diversity": "1"}, "diversity: expected a valid number, got '1'"),
        ({"allow": "w00"}, "allow: expected a valid list, got 'w00'"),
        ({"deny": [""]}, "deny\\[0\\]: expected a text that is not empty"),
        ({"filters": {}}, "filters: unknown name; known here are allow, deny, diversity, explore, filter"),
    ],
)
def test_the_error_of_a_wrong_rule_names_the_field_and_what_was_expected(
    auto: Recommender, rules: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        auto.recommend("u03", **rules)


@pytest.mark.parametrize(
    ("rules", "same"),
    [
        ({"filter": {"store": {"any": ("A", "B")}}}, {"filter": {"store": {"any": ["A", "B"]}}}),
        ({"allow": {"w00", "w02", "s01"}}, {"allow": ["w00", "w02", "s01"]}),
        ({"deny": np.array(["w00", "w02"])}, {"deny": ["w00", "w02"]}),
        ({"max_per": {"store": np.int64(1)}}, {"max_per": {"store": 1}}),
        (
            {"filter": {"released": {"min": datetime.date(2020, 9, 10)}, "in_stock": {"is": np.bool_(True)}}},
            {"filter": {"released": {"min": "2020-09-10"}, "in_stock": {"is": True}}},
        ),
        ({"diversity": np.float64(0.5)}, {"diversity": 0.5}),
    ],
)
def test_values_of_python_and_numpy_count_as_those_of_json(
    auto: Recommender, rules: dict[str, Any], same: dict[str, Any]
) -> None:
    assert auto.recommend("u03", top_k=10, **rules) == auto.recommend("u03", top_k=10, **same)


@pytest.mark.parametrize("wrong", ["boots", b"boots", 5, None, [5.5]])
def test_a_text_in_the_place_of_a_list_is_refused(auto: Recommender, wrong: Any) -> None:  # noqa: ANN401 - of any type
    with pytest.raises(RequestError, match=r"interests.*: expected a "):
        auto.recommend("u03", interests=wrong)
    with pytest.raises(RequestError, match=r"rank.*: expected a "):
        auto.rank("u03", wrong)
    with pytest.raises(RequestError, match=r"items.*: expected a "):
        auto.for_basket(wrong)


def test_a_model_without_attributes_says_so() -> None:
    plain = shop.recommender()
    with pytest.raises(RequestError, match="filter: unknown attribute 'price'; the items of this model have none"):
        plain.recommend("u03", filter={"price": {"max": 5}})


def test_a_model_without_titles_refuses_the_rules_that_need_them() -> None:
    plain = train(shop.events(), **shop.SMALL)
    without: list[dict[str, Any]] = [{"diversity": 0.5}, {"explore": 0.5}]
    for rules in without:
        with pytest.raises(RequestError, match=f"{next(iter(rules))}: expected a model"):
            plain.recommend("u03", **rules)
    with pytest.raises(RequestError, match="interests: expected a model"):
        plain.recommend("u03", interests=["wool"])


def test_each_rule_describes_its_field() -> None:
    for name, rule in RULES.items():
        assert rule.description.endswith("."), name
        assert rule.name == name


# --- other requests ---


@given(st.sampled_from(ITEMS[:-2]), st.integers(1, 10))
def test_related_items_are_of_the_same_taste_and_leave_the_item_out(auto: Recommender, item: str, top_k: int) -> None:
    found = auto.related(item, top_k=top_k)
    assert item not in ids(found)
    assert len(found.items) == top_k
    assert {other[0] for other in ids(found)} == {item[0]}
    assert (found.user_id, found.item_id) == (None, item)


def test_an_unknown_item_gets_popular_items(auto: Recommender) -> None:
    found = auto.related("unknown")
    assert found.source == "popular"
    assert len(found.items) == 5


@given(st.lists(st.sampled_from(ITEMS[:-2:2]), min_size=1, max_size=4))
def test_a_basket_gets_items_that_go_with_it_and_are_not_in_it(auto: Recommender, basket: list[str]) -> None:
    found = auto.for_basket(basket)
    assert not set(ids(found)) & set(basket)
    assert {item[0] for item in ids(found)} == {"w"}


@given(WHO, st.lists(st.sampled_from([*ITEMS, "unknown", "other"]), min_size=1, max_size=30))
def test_ranking_returns_each_given_item_once_and_unknown_ones_last(
    recommender: Recommender, user: str, given_items: list[str]
) -> None:
    found = ids(recommender.rank(user, given_items))
    catalogue = {*recommender.model.items}
    known, unknown = ([item for item in found if (item in catalogue) == wanted] for wanted in (True, False))
    assert found == known + unknown
    assert sorted(found) == sorted(set(given_items))
    assert unknown == [item for item in dict.fromkeys(given_items) if item not in catalogue]


def test_ranking_puts_items_of_the_users_taste_first(auto: Recommender) -> None:
    for number in (2, 3):
        mine = "ws"[number % 2]
        found = ids(auto.rank(USERS[number], ITEMS[:12]))
        assert {item[0] for item in found[:6]} == {mine}


def test_ranking_obeys_the_rules(auto: Recommender) -> None:
    given_items = ITEMS[:12]
    found = ids(auto.rank("u03", [*given_items, "unknown"], deny=ITEMS[:2], filter={"store": {"any": ["A", "B"]}}))
    assert sorted(found) == sorted(item for item in given_items[2:] if of(item, "store") in ("A", "B"))
    found = ids(auto.rank("u03", ["new", "newer", "newest"], deny=["new"], allow=["new", "newest"]))
    assert found == ["newest"]
    found = ids(auto.rank("u03", given_items, exclude_seen=True))
    assert sorted(found) == sorted(set(given_items) - SEEN["u03"])


@given(CONDITIONS, st.integers(1, 10))
def test_trending_items_are_those_of_most_recent_events(
    recommender: Recommender, conditions: dict[str, Any], top_k: int
) -> None:
    found = recommender.trending(top_k=top_k, filter=conditions)
    age = (shop.NEWEST - EVENTS["timestamp"]) // shop.DAY
    recent = (0.5 ** (age / 7)).groupby(EVENTS["item_id"]).sum().reindex(ITEMS, fill_value=0.0)
    assert all(meets(item, conditions) for item in ids(found))
    allowed = [item for item in recommender.model.items if meets(item, conditions)]
    assert len(found.items) == min(top_k, len(allowed))
    if recommender.model.config.pipeline == "auto" and allowed:
        best = recent[allowed].sort_values(ascending=False).iloc[: len(found.items)]
        assert recent[ids(found)].tolist() == pytest.approx(best.tolist())


def test_the_first_questions_are_of_both_tastes(auto: Recommender) -> None:
    found = auto.onboarding(6)
    assert found.source == "questionnaire"
    assert {item[0] for item in ids(found)[:2]} == {"w", "s"}


def test_answers_to_questions_show_the_taste_of_a_new_user(auto: Recommender) -> None:
    asked = ids(auto.onboarding(10))
    for taste in "ws":
        answers = [Event(item) for item in asked if item[0] == taste]
        found = auto.recommend("new", answers, deny=asked)
        assert {item[0] for item in ids(found)} == {taste}


@pytest.mark.parametrize(("interests", "taste"), [(["wool scarf"], "w"), (["SILK, please"], "s"), (["red wool"], "w")])
def test_interests_are_met(auto: Recommender, interests: list[str], taste: str) -> None:
    found = auto.recommend("new", interests=interests)
    assert {item[0] for item in ids(found)} == {taste}


def test_several_interests_share_the_response(auto: Recommender) -> None:
    for wanted in (["red wool", "blue silk"], ["blue silk", "red wool"]):
        found = ids(auto.recommend("stranger", interests=wanted, top_k=10))
        assert min(sum(item[0] == taste for item in found) for taste in "ws") >= 2


def test_questions_fill_the_response_if_rules_leave_few_of_them(auto: Recommender) -> None:
    few = ITEMS[-3:]
    found = auto.onboarding(3, allow=few)
    assert sorted(ids(found)) == sorted(few)
    scores = [item.score for item in auto.onboarding(26).items]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 26


def test_interests_match_attributes_too(auto: Recommender) -> None:
    found = auto.recommend("new", interests=["something of store B"])
    assert sum(of(item, "store") == "B" for item in ids(found)) >= 3
    for item in found.items:
        if item.rule == "interests":
            assert item.because[0].text == "matches the interests"


def test_interests_that_match_nothing_change_nothing(auto: Recommender) -> None:
    assert ids(auto.recommend("u03", interests=["zebra"])) == ids(auto.recommend("u03"))
    assert ids(auto.recommend("new", interests=["zebra"])) == ids(auto.recommend("new"))


@example("no")
@given(st.text(max_size=40))
def test_any_text_is_an_interest(auto: Recommender, text: str) -> None:
    assume(text)
    assert len(auto.recommend("new", interests=[text]).items) == 5
