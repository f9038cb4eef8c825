"""The deny list: a file that is read again when it changes, by a running server too."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import shop
from support.job import Job

from recommender.errors import ConfigError
from recommender.pipeline.recommender import Recommender
from recommender.rules import deny_list
from recommender.rules.deny_list import DenyList
from recommender.sagemaker.server_environment import DENY_LIST
from recommender.service.process import running_server


@pytest.fixture(scope="module")
def trained_shop() -> Recommender:
    return shop.recommender()


@pytest.fixture
def recommender(trained_shop: Recommender, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recommender]:
    monkeypatch.setattr(deny_list, "SECONDS", 0.0)
    yield trained_shop
    trained_shop.deny_list = None


def ids(recommender: Recommender) -> set[str]:
    return {item.item_id for item in recommender.recommend("u03", top_k=26, exclude_seen=False).items}


def write(path: Path, content: str | bytes) -> None:
    """Replace a file, as its page says."""
    other = path.with_suffix(".new")
    other.write_bytes(content.encode() if isinstance(content, str) else content)
    other.replace(path)


def test_items_of_the_list_are_in_no_response_and_changes_count(recommender: Recommender, tmp_path: Path) -> None:
    path, everything = tmp_path / "deny.txt", ids(recommender)
    recommender.deny_list = DenyList(path, recommender.model.items, must_exist=False)
    assert ids(recommender) == everything
    write(path, "s01\n\n  w02  \r\nunknown\n")
    assert ids(recommender) == everything - {"s01", "w02"}
    write(path, "w02")
    assert ids(recommender) == everything - {"w02"}
    path.unlink()
    assert ids(recommender) == everything


def test_a_list_to_rank_has_no_denied_item_even_if_the_model_does_not_know_it(
    recommender: Recommender, tmp_path: Path
) -> None:
    write(tmp_path / "deny.txt", "s01\nrecalled")
    recommender.deny_list = DenyList(tmp_path / "deny.txt", recommender.model.items, must_exist=True)
    found = recommender.rank("u03", ["s01", "recalled", "other", "s03"]).items
    assert [item.item_id for item in found] == ["s03", "other"]


def test_a_list_of_too_many_lines_is_refused_before_it_is_read_as_ids(
    trained_shop: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deny_list, "MAX_IDS", 3)
    write(tmp_path / "deny.txt", "a\n" * 4)
    with pytest.raises(ConfigError, match=r"deny.txt: can't be read as a deny list: expected at most 3 lines"):
        trained_shop.deny(tmp_path / "deny.txt")


def test_each_kind_of_request_obeys_the_list(recommender: Recommender, tmp_path: Path) -> None:
    denied = [shop.item(number) for number in range(12)]
    write(tmp_path / "deny.txt", "\n".join(denied))
    recommender.deny_list = DenyList(tmp_path / "deny.txt", recommender.model.items, must_exist=True)
    for found in (
        recommender.recommend("u03", top_k=20),
        recommender.recommend("new", interests=["wool"], top_k=20),
        recommender.related("w14", top_k=20),
        recommender.for_basket(["w14", "w16"], top_k=20),
        recommender.rank("u03", denied),
        recommender.trending(top_k=20),
        recommender.onboarding(20),
    ):
        assert not {item.item_id for item in found.items} & set(denied)


def test_a_long_list_is_obeyed_too(recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deny_list, "MANY_EXCLUDED", 3)
    write(tmp_path / "deny.txt", "\n".join(f"s{number:02d}" for number in range(26)))
    recommender.deny_list = DenyList(tmp_path / "deny.txt", recommender.model.items, must_exist=True)
    assert {item[0] for item in ids(recommender)} == {"w"}


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"x" * (deny_list.MAX_BYTES + 1)])
def test_a_bad_file_keeps_the_last_list_and_is_logged_once(
    recommender: Recommender, tmp_path: Path, bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path, everything = tmp_path / "deny.txt", ids(recommender)
    write(path, "s01")
    recommender.deny_list = DenyList(path, recommender.model.items, must_exist=True)
    write(path, bad)
    with caplog.at_level(logging.ERROR):
        assert ids(recommender) == everything - {"s01"}
        assert ids(recommender) == everything - {"s01"}
    assert len(caplog.records) == 1
    assert "can't be read as a deny list" in caplog.text
    write(path, "w02")
    assert ids(recommender) == everything - {"w02"}


def test_a_list_that_must_exist_is_an_error_if_it_does_not(recommender: Recommender, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"deny.txt: can't be read as a deny list: .*: write an ID a line"):
        DenyList(tmp_path / "deny.txt", recommender.model.items, must_exist=True)
    (tmp_path / "deny.txt").mkdir()
    with pytest.raises(ConfigError, match="can't be read"):
        DenyList(tmp_path / "deny.txt", recommender.model.items, must_exist=False)


def recommended(server: object, user: str) -> list[str]:
    status, body = server.request("POST", "/invocations", json.dumps({"user_id": user}).encode(),  # type: ignore[attr-defined]
                                  {"Content-Type": "application/json"})  # fmt: skip
    assert status == 200
    found: list[str] = json.loads(body)["recommended_items"]
    return found


def test_a_running_server_reads_the_list_again(trained_copy: Job) -> None:
    folder = trained_copy.container.model_dir
    user = trained_copy.ratings()["user_id"].iloc[0]
    with running_server(trained_copy.base_dir) as server:
        first = recommended(server, user)
        write(folder / "deny.txt", "\n".join(first[:3]))
        deadline = time.monotonic() + 30
        while set(first[:3]) & set(found := recommended(server, user)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not set(first[:3]) & set(found)
        assert found[:2] == first[3:]


def test_the_variable_names_another_file(trained_copy: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = trained_copy.ratings()["user_id"].iloc[0]
    with running_server(trained_copy.base_dir) as server:
        first = recommended(server, user)
    (tmp_path / "other.txt").write_text(first[0])
    monkeypatch.setenv(DENY_LIST, str(tmp_path / "other.txt"))
    with running_server(trained_copy.base_dir) as server:
        assert recommended(server, user)[0] == first[1]
