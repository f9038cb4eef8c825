"""What was put is found again by its key, and by no other."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from study.cache import Cache, digest_of_sources, packed, unpacked


def test_a_value_is_found_by_its_key_in_any_order_and_by_no_other(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get({"data": "a", "seed": 0}) is None
    cache.put({"data": "a", "seed": 0}, {"hit_rate": 0.25})
    assert Cache(tmp_path / "cache").get({"seed": 0, "data": "a"}) == {"hit_rate": 0.25}
    assert cache.get({"data": "a", "seed": 1}) is None


def test_nothing_unfinished_is_left_behind(tmp_path: Path) -> None:
    Cache(tmp_path).put({"a": 1}, {})
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]


@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(-1, 2**31 - 1)))
def test_recommendations_come_back_as_they_were(items: np.ndarray) -> None:
    assert np.array_equal(unpacked(packed(items)), items)


def test_a_digest_of_code_changes_with_what_it_does_alone() -> None:
    plain = "def f(x):\n    return x + 1\n"
    told = '"""A module."""\n# why\ndef f(x):\n    """Add."""\n    return x + 1\n'
    assert digest_of_sources([plain]) != digest_of_sources(["def f(x):\n    return x + 2\n"])
    documented = "def f(x):\n    '''Add one.'''\n    return x + 1\n"
    assert digest_of_sources([documented]) == digest_of_sources([documented.replace("one", "1")])
    assert digest_of_sources([told]) == digest_of_sources([told.replace("Add", "Return").replace("# why", "")])
