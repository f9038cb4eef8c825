"""A short `make soak`: each attack for a second, then twenty seconds of valid and hostile requests."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.pool import Pool

import pytest
from support.job import Job

from benchmarks import hostile, reliability

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(2 + reliability.GOOD_CLIENTS) as clients:
        yield clients


def rows_of(table: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in cells}


def test_no_attack_kills_the_worker_or_fails_a_ping(trained: Job, pool: Pool) -> None:
    rows = rows_of(reliability.under_attack(trained.base_dir, pool, 1))
    assert list(rows) == ["no attack", *hostile.attacks("", [])]
    assert {row[4] for row in rows.values()} == {"0"}  # failed pings
    assert {row[6] for row in rows.values()} == {"0"}  # kills
    assert all(
        float(row[2]) < 1_000 for row in rows.values()
    )  # p99 of /ping in ms; a blocked worker would take seconds


def test_a_soak_loses_no_valid_request(trained: Job, pool: Pool) -> None:
    rows = rows_of(reliability.soak(trained.base_dir, pool, 20))
    assert rows["requests lost"] == ["0"]
    assert rows["kills of the worker"] == ["0"]
    assert rows["`/ping` failed"] == ["0"]
    assert int(rows["requests with a right response"][0].replace(",", "")) > 100
    before, after = map(int, rows["open files, at the beginning and at the end"][0].split(", "))
    assert after <= before + 5
