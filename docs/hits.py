"""results/hits.json -> tables of hit rates of whole pipelines, in README and docs/results.md."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from docs.tables import table

Row = Mapping[str, Any]
RESULTS = Path(__file__).parents[1] / "results" / "hits.json"
OURS = "ours"
# The data sets of the README; docs/results.md has all.
IN_SHORT = (
    "Amazon Fashion",
    "Amazon Fashion, time split",
    "Online Retail, ties at random",
    "Online Retail, next basket",
    "Online Retail, cold items",
    "Amazon Beauty 2014",
)
NOT_OTHERS = ("ours", "source", "published")  # stages


@cache
def rows() -> list[Row]:
    """Return the rows of the study: one for each data set and contestant."""
    found: list[Row] = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    return found


def against_the_best() -> str:
    """Return a table with a row for each data set: ours, and the best of the others by hit rate at 10."""
    header = ["data", "users", "HR@5", "HR@10 (95 %)", "HR@100", "NDCG@10", "best other at 10", "its HR@10, minus ours"]
    return table(header, [_against_the_best(name, _measured(name)) for name in _names()])


def at_10() -> str:
    """Return a table of hit rates at 10: a row for each contestant, a column for each data set."""
    contestants = dict.fromkeys(row["contestant"] for row in rows() if row["stage"] != "published")
    by_data = {name: {row["contestant"]: row["hit_rate@10"] for row in _measured(name)} for name in _names()}
    best = {name: max(found.values()) for name, found in by_data.items()}

    def cell(contestant: str, name: str) -> str:
        value = by_data[name].get(contestant)
        if value is None:
            return ""
        return f"**{value:.4f}**" if value == best[name] else f"{value:.4f}"

    lines = [[contestant, *(cell(contestant, name) for name in by_data)] for contestant in contestants]
    return table(["HR@10", *by_data], [line for line in lines if any(line[1:])])


def in_short() -> str:
    """Return a small table of hit rates at 10, with a row for each data set of the README."""
    header = ["data", "ours", "the paper's pipeline", "popularity", "best peer", "best published transformer"]
    return table(header, [_in_short(name, _measured(name)) for name in _names() if name in IN_SHORT])


def _in_short(name: str, measured: Sequence[Row]) -> list[str]:
    found = {row["contestant"]: row["hit_rate@10"] for row in measured}
    peers = {row["contestant"]: row["hit_rate@10"] for row in measured if row["stage"] not in NOT_OTHERS}
    published = {
        row["contestant"]: row["hit_rate@10"]
        for row in rows()
        if row["data"] == name and row["stage"] == "published" and "hit_rate@10" in row
    }
    of_the_paper = found.get("ours: the paper's pipeline")
    return [
        name,
        f"{found[OURS]:.3f}",
        "" if of_the_paper is None else f"{of_the_paper:.3f}",
        f"{found['popularity']:.3f}",
        _best(peers),
        _best(published),
    ]


def _best(found: Mapping[str, float]) -> str:
    best = max(found, key=lambda name: found[name], default="")
    return f"{found[best]:.3f} ({best})" if best else ""


def _names() -> list[str]:
    return list(dict.fromkeys(row["data"] for row in rows()))


def _measured(name: str) -> list[Row]:
    return [row for row in rows() if row["data"] == name and "hit_rate@10_low" in row]


def _against_the_best(name: str, measured: Sequence[Row]) -> list[str]:
    ours = next(row for row in measured if row["contestant"] == OURS)
    other = max((row for row in measured if row["stage"] not in NOT_OTHERS), key=lambda row: row["hit_rate@10"])
    return [
        name,
        f"{ours['users']:,}",
        f"{ours['hit_rate@5']:.4f}",
        f"{ours['hit_rate@10']:.4f} ({ours['hit_rate@10_low']:.4f} to {ours['hit_rate@10_high']:.4f})",
        f"{ours['hit_rate@100']:.4f}",
        f"{ours['ndcg@10']:.4f}",
        f"{other['contestant']}",
        f"{other['hit_rate@10']:.4f}, {_difference(other, 'hit_rate@10_minus_ours')}",
    ]


def _difference(row: Row, name: str) -> str:
    noise = ", noise" if row[f"{name}_is_noise"] else ""
    return f"{row[name]:+.4f} ({row[f'{name}_low']:+.4f} to {row[f'{name}_high']:+.4f}){noise}"
