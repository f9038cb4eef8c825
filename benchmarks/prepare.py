"""Time and memory from raw reviews to channels at four sizes, compared with other engines.

The third size is that of Amazon Fashion; the fourth is ten times as large.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.dataset as ds

from benchmarks.common import ROOT, report, table
from benchmarks.prepare_peers import PEERS
from recommender.common.output import say
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE

SIZES = [(20_000, 8_260, 25_000), (200_000, 82_600, 250_000), (2_000_000, 826_000, 2_500_000)]  # users, items, reviews
TEN_TIMES = (20_000_000, 8_260_000, 25_000_000)
LABELS = {
    "pandas": "pandas: json.loads for each line, one frame",
    "polars": "Polars, lazy, streaming",
    "duckdb": "DuckDB with its own JSON reader, 1GB: it names no bad line",
}


@dataclass(frozen=True)
class Run:
    """Seconds and peak memory of a process, and its numbers of train and test rows."""

    seconds: float
    peak_bytes: int
    rows: tuple[int, int]

    @property
    def cells(self) -> list[str]:
        """Seconds and peak memory as cells of the table."""
        return [f"{self.seconds:.1f} s", f"{self.peak_bytes / 1e9:.2f} GB"]


def main() -> None:
    """Generate raw reviews, prepare them, run the others, and report."""
    with TemporaryDirectory(dir=ROOT / "build") as tmp:
        rows = []
        for size in SIZES:
            raw = generated(Path(tmp), size)
            ours = prepared(raw)
            rows.append([*sizes(size), read_bytes(raw), *ours.cells, per_review(ours, size)])
        compared = [["ours", *ours.cells, "1.0"]]
        for peer in PEERS:
            run = measured(["-m", "benchmarks.prepare_peers", peer, *map(str, files(raw))])
            assert run.rows == ours.rows, peer
            compared.append([LABELS[peer], *run.cells, f"{run.seconds / ours.seconds:.1f}"])
        spark = prepared(raw, "--engine", "spark")
        assert spark.rows == ours.rows
        compared.append(["ours, --engine spark, on this machine", f"{spark.seconds:.1f} s", "in Java",
                       f"{spark.seconds / ours.seconds:.1f}"])  # fmt: skip
        raw = generated(Path(tmp), TEN_TIMES)
        large = prepared(raw)
        rows.append([*sizes(TEN_TIMES), read_bytes(raw), *large.cells, per_review(large, TEN_TIMES)])
    growth = ["users", "items", "reviews", "gzipped", "time", "peak memory", "us per review"]
    report(
        "prepare",
        "`recommender prepare` with its default --memory-limit of 1GB. The gzipped files are in the page cache.",
        table(growth, rows),
        f"{SIZES[-1][2]:,} reviews, compared with others that find the same train and test rows:",
        table(["", "time", "peak memory", "relative to ours"], compared),
    )


def generated(folder: Path, size: Sequence[int]) -> Path:
    """Generate raw files of a size; return their folder."""
    raw = folder / f"raw-{size[2]}"
    say(f"generating {size[2]:,} reviews ...")
    given = [f"--{name}={number}" for name, number in zip(("users", "items", "ratings"), size, strict=True)]
    command = [sys.executable, "-m", "recommender", "synthesize", "--output", str(raw), *given]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return raw


def files(raw: Path) -> tuple[Path, Path]:
    """Return the paths of the reviews and of the metadata."""
    return raw / REVIEWS_FILE, raw / METADATA_FILE


def prepared(raw: Path, *options: str) -> Run:
    """Run the command; return the run with the numbers of rows in its channels."""
    reviews, metadata = map(str, files(raw))
    with TemporaryDirectory(dir=raw.parent) as output:
        paths = ["--reviews", reviews, "--metadata", metadata, "--output", output, "--item_key", "parent_asin"]
        run = measured(["-m", "recommender", "prepare", *paths, *options])
        train, test = (ds.dataset(Path(output) / part).count_rows() for part in ("train", "test"))
    return Run(run.seconds, run.peak_bytes, (train, test))


def measured(arguments: Sequence[str]) -> Run:
    """Run Python; the numbers of rows are the last two words of its output, or 0 if these are not numbers."""
    say(" ".join(arguments))
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(arguments)}: failed with wait status {status}; its messages are above")
    numbers = output.split()[-2:]
    rows = (int(numbers[0]), int(numbers[1])) if all(number.isdigit() for number in numbers) else (0, 0)
    return Run(seconds, usage.ru_maxrss * 1024, rows)


def sizes(size: Sequence[int]) -> list[str]:
    """Return the three numbers of a size as cells of the table."""
    return [f"{number:,}" for number in size]


def read_bytes(raw: Path) -> str:
    """Return the size of both raw files as text."""
    return f"{sum(path.stat().st_size for path in files(raw)) / 1e6:,.0f} MB"


def per_review(run: Run, size: Sequence[int]) -> str:
    """Return the microseconds per review as text."""
    return f"{run.seconds / size[2] * 1e6:.1f}"


if __name__ == "__main__":
    main()
