"""The cache finds a result by its key and by no other; digests ignore comments."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from study.cache import Cache, digest_of_sources, packed, unpacked


def test_a_result_is_found_by_its_key_in_any_order_and_by_no_other(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get({"data": "a", "seed": 0}) is None
    cache.put({"data": "a", "seed": 0}, {"hit_rate": 0.25})
    assert Cache(tmp_path / "cache").get({"seed": 0, "data": "a"}) == {"hit_rate": 0.25}
    assert cache.get({"data": "a", "seed": 1}) is None


def test_storing_a_result_leaves_no_temporary_file(tmp_path: Path) -> None:
    Cache(tmp_path).put({"a": 1}, {})
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]


@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(-1, 2**31 - 1)))
def test_unpacking_returns_the_packed_recommendations(items: np.ndarray) -> None:
    assert np.array_equal(unpacked(packed(items)), items)


def test_a_code_digest_ignores_comments_and_docstrings_only() -> None:
    plain = "def f(x):\n    return x + 1\n"
    full = '"""A module."""\n# why\ndef f(x):\n    """Add."""\n    return x + 1\n'
    assert digest_of_sources([plain]) != digest_of_sources(["def f(x):\n    return x + 2\n"])
    documented = "def f(x):\n    '''Add one.'''\n    return x + 1\n"
    assert digest_of_sources([documented]) == digest_of_sources([documented.replace("one", "1")])
    assert digest_of_sources([full]) == digest_of_sources([full.replace("Add", "Return").replace("# why", "")])
