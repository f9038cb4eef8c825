import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.models.factors import Factors, factorize_items


def embeddings(seed: int, num_lines: int, num_items: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings on `num_lines` lines through the origin, and the line of each; -1 for those at the origin."""
    random = np.random.default_rng(seed)
    line = random.integers(num_lines, size=num_items)
    scale = random.choice([-2.5, -1, 0, 1e-3, 0.7, 30], num_items)
    directions = random.standard_normal((num_lines, dim))
    return (directions[line] * scale[:, None]).astype(np.float32), np.where(scale == 0, -1, line)


@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 60), st.integers(2, 40))
def test_items_on_one_line_share_a_direction_and_are_restored_unchanged(
    seed: int, num_lines: int, num_items: int, dim: int
) -> None:
    embedding, line = embeddings(seed, num_lines, num_items, dim)
    direction, direction_num, scale = factorize_items(embedding)
    restored = direction[direction_num] * scale[:, None]
    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    assert (np.abs(restored - embedding) <= 2e-6 * length + 1e-30).all()
    # Different lines are never merged. A line that is stored twice only costs space.
    assert len(set(zip(direction_num.tolist(), line.tolist(), strict=True))) == len(direction)
    assert len(direction) <= len(np.unique(line)) * 1.2 + 2


def test_items_on_different_lines_keep_their_directions() -> None:
    embedding = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
    direction, direction_num, scale = factorize_items(embedding)
    assert len(direction) == 500
    assert np.allclose(direction[direction_num] * scale[:, None], embedding, rtol=1e-5)


def test_a_pair_with_an_unknown_user_or_item_is_predicted_from_the_known_part() -> None:
    one = np.ones((1, 1), np.float32)
    factors = Factors(
        global_mean=3.0,
        user_embedding=one * 2,
        user_bias=np.array([0.5], np.float32),
        item_direction=one,
        item_direction_num=np.zeros(1, np.int32),
        item_scale=np.array([0.25], np.float32),
        item_bias=np.array([-1.0], np.float32),
    )
    user, item = np.array([0, -1, 0, -1]), np.array([0, 0, -1, -1])
    assert factors.predict(user, item).tolist() == [3.0, 2.0, 3.5, 3.0]
