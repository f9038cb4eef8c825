"""Implicit MF as a candidate source: a request gets the vector that a fit would give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.worlds import NUM_HAD, NUM_ITEMS, WORLDS

from recommender.candidates.implicit_mf import ImplicitMF, ImplicitMFOptions
from recommender.components.query import NO_ITEMS, Query
from recommender.models.implicit_als import solve

DIM = 5
OPTIONS = ImplicitMFOptions(embedding_dim=DIM, num_sweeps=3, confidence=8.0, regularization=0.5, step_decay=0.7)
EVENTS = WORLDS["events"]
SOURCE = ImplicitMF.fit(EVENTS.context, OPTIONS)
ITEMS = SOURCE.save()[0]["item_embedding"].astype(float)

histories = st.lists(st.integers(0, NUM_HAD - 1), min_size=1, max_size=3 * DIM, unique=True)


def vector_parts(query: Query) -> NDArray[np.float64]:
    """Return the contribution of each item of the history, by the dense normal equations over all items."""
    visits = query.visits
    extra = OPTIONS.confidence * visits.weight * OPTIONS.step_decay**visits.steps_back
    own = ITEMS[visits.item_num]
    left = ITEMS.T @ ITEMS + OPTIONS.regularization * np.eye(DIM) + own.T @ (extra[:, None] * own)
    return np.asarray(np.linalg.solve(left, own.T * (1 + extra)).T)


@settings(max_examples=60)
@given(histories)
def test_the_score_is_the_product_with_the_solution_of_the_dense_normal_equations(items: list[int]) -> None:
    """Check histories that are shorter than the embedding, as long, and longer."""
    query = EVENTS.stranger(items)
    expected = np.maximum(ITEMS @ vector_parts(query).sum(axis=0), 0)
    score = SOURCE.score(query, np.arange(NUM_ITEMS))
    assert score is not None
    assert np.allclose(score, expected, atol=1e-4)


@pytest.mark.parametrize("length", [DIM - 1, DIM, DIM + 1])
def test_a_request_gets_the_vector_of_a_fitted_user(length: int) -> None:
    options = OPTIONS.model_copy(update={"step_decay": 1.0})
    source = ImplicitMF.fit(EVENTS.context, options)
    table = torch.from_numpy(np.array(source.save()[0]["item_embedding"]))
    items = np.arange(7, 7 + length)
    user = solve(table.clone(), np.array([0, length]), items, torch.full((length,), options.confidence), 0.5)[0]
    score = source.score(EVENTS.stranger(items), np.arange(NUM_ITEMS))
    assert score is not None
    assert np.allclose(score, np.maximum((table @ user).numpy(), 0), atol=1e-4)


@settings(max_examples=60)
@given(histories)
def test_the_reason_is_the_item_that_adds_most_to_the_score(items: list[int]) -> None:
    """Check that the score is the sum of the contributions of the items of the history."""
    query = EVENTS.stranger(items)
    everything = np.arange(NUM_ITEMS)
    added = ITEMS @ vector_parts(query).T
    score = SOURCE.score(query, everything)
    assert score is not None
    assert np.allclose(np.maximum(added.sum(axis=1), 0), score, atol=1e-4)
    for item, reason in zip(everything, SOURCE.reasons(query, everything.tolist()), strict=True):
        largest = added[item].max()
        if reason is None:
            assert largest <= 1e-4
        else:
            (number,) = reason.item_num
            assert added[item, query.visits.item_num.tolist().index(number)] >= largest - 1e-4


def test_a_large_catalogue_is_scored_but_not_searched() -> None:
    options = OPTIONS.model_copy(update={"max_items": NUM_ITEMS - 1})
    source = ImplicitMF.fit(EVENTS.context, options)
    for query in EVENTS.queries:
        assert source.top(query.without_memo(), 5) is None
        one, other = source.score(query.without_memo(), np.arange(5)), SOURCE.score(query.without_memo(), np.arange(5))
        assert (None if one is None else one.tolist()) == (None if other is None else other.tolist())
    assert [*source.top_of_each(EVENTS.queries[:3], 5)] == [None] * 3


def test_a_source_that_proposes_no_items_has_no_choices() -> None:
    large = OPTIONS.model_copy(update={"max_items": NUM_ITEMS - 1})
    assert list(ImplicitMF.choices(EVENTS.context, large)) == []
    assert len(ImplicitMF.choices(EVENTS.context, OPTIONS)) == 3  # recency, sessions and confidence


@settings(max_examples=300)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 1000))
def test_items_with_one_embedding_are_ordered_by_number_however_many_there_are(
    num_twins: int, count: int, seed: int
) -> None:
    """Check equal scores: products in float32 round differently at the end of a block, so they may look unequal."""
    random = np.random.default_rng(seed)
    twin, others = random.standard_normal(64), random.standard_normal((20, 64))
    is_twin = random.permutation(np.arange(num_twins + 20) < num_twins)
    embedding = np.empty((num_twins + 20, 64))
    embedding[is_twin], embedding[~is_twin] = twin, others
    source = ImplicitMF(embedding.astype(np.float32), np.eye(64, dtype=np.float32), ImplicitMFOptions())
    query = replace(EVENTS.stranger([int(is_twin.argmax())]), exclude=NO_ITEMS)
    found = source.top(query, count)
    assert found is not None
    assert found.item_num[:num_twins].tolist() == np.flatnonzero(is_twin)[:count].tolist()
