"""What was put is found again by its key, and by no other."""

from pathlib import Path

from study.cache import Cache


def test_a_value_is_found_by_its_key_in_any_order_and_by_no_other(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get({"data": "a", "seed": 0}) is None
    cache.put({"data": "a", "seed": 0}, {"hit_rate": 0.25})
    assert Cache(tmp_path / "cache").get({"seed": 0, "data": "a"}) == {"hit_rate": 0.25}
    assert cache.get({"data": "a", "seed": 1}) is None


def test_nothing_unfinished_is_left_behind(tmp_path: Path) -> None:
    Cache(tmp_path).put({"a": 1}, {})
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]
