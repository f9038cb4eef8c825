"""The quota of a container, as the kernel shows it in control groups of version 1 and 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.job import ROOT

from recommender.common import cores
from recommender.common.cores import NUM_THREADS, available_cores, limit_threads

MACHINE = 96


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_granted", lambda: MACHINE)


def cores_of(folder: Path, own: str, **files: str) -> int:
    """Return the number of cores for a process in the groups `own`, with these files ("__" stands for "/")."""
    for name, text in files.items():
        path = folder / "cgroup" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "own").write_text(own)
    return available_cores(folder / "cgroup", folder / "own")


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        *[("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1), ("400000 100000", 4)],
        *[("max 100000", MACHINE), ("", MACHINE), ("x y", MACHINE), ("100000", MACHINE), ("1 0", MACHINE)],
        *[("-5 100000", MACHINE), ("99999999 1000", MACHINE)],
    ],
)
def test_the_quota_of_version_2_is_rounded_up(tmp_path: Path, quota: str, expected: int) -> None:
    assert cores_of(tmp_path, "0::/\n", **{"cpu.max": quota + "\n"}) == expected


@pytest.mark.parametrize(("quota", "expected"), [("100000", 1), ("250000", 3), ("-1", MACHINE), ("", MACHINE)])
@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_the_quota_of_version_1_is_rounded_up(tmp_path: Path, controllers: str, quota: str, expected: int) -> None:
    files = {f"{controllers}__cpu.cfs_quota_us": quota, f"{controllers}__cpu.cfs_period_us": "100000"}
    own = f"5:memory:/docker/abc\n4:{controllers}:/docker/abc\n"
    assert cores_of(tmp_path, own, **files) == expected


def test_the_lowest_quota_of_a_group_and_its_parents_counts(tmp_path: Path) -> None:
    files = {"a__cpu.max": "300000 100000", "a__b__cpu.max": "max 100000", "a__b__c__cpu.max": "800000 100000"}
    assert cores_of(tmp_path, "0::/a/b/c\n", **files) == 3
    assert cores_of(tmp_path, "0::/a/b\n") == 3
    assert cores_of(tmp_path, "0::/other\n") == MACHINE


@pytest.mark.parametrize("own", ["", "garbled", "0::/../../etc\n", "a:b\n"])
def test_groups_that_can_not_be_read_set_no_quota(tmp_path: Path, own: str) -> None:
    assert cores_of(tmp_path, own) == MACHINE


def test_a_machine_without_groups_has_no_quota(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "none", tmp_path / "none") == MACHINE


@pytest.mark.parametrize(
    ("quota", "given", "expected"), [(1, None, "1"), (1, "5", "5"), (MACHINE, None, None), (MACHINE, "5", "5")]
)
def test_threads_follow_the_quota_unless_the_user_sets_them(
    monkeypatch: pytest.MonkeyPatch, quota: int, given: str | None, expected: str | None
) -> None:
    monkeypatch.delenv(NUM_THREADS, raising=False)
    if given is not None:
        monkeypatch.setenv(NUM_THREADS, given)
    monkeypatch.setattr(cores, "available_cores", lambda: quota)
    limit_threads()
    assert os.environ.get(NUM_THREADS) == expected
    monkeypatch.delenv(NUM_THREADS, raising=False)


def test_thread_variables_are_set_before_libraries_are_imported() -> None:
    program = """
import os
from recommender.common import cores
cores._granted = lambda: 96
cores.available_cores = lambda: 1
from recommender.cli import train
import numpy, pyarrow, torch
from threadpoolctl import threadpool_info
print(torch.get_num_threads(), pyarrow.cpu_count(), max(pool["num_threads"] for pool in threadpool_info()))
"""
    environment = {name: value for name, value in os.environ.items() if name != NUM_THREADS}
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["1", "1", "1"]
