"""Measure a server under attack, and in a soak of right and hostile requests (Linux).

One worker on core 0 serves a model of synthetic data. Clients and pings are processes on core 1; the pings have the
higher priority. Each `/ping` uses a new connection. If a good client finds its idle connection closed, it opens
another, as HTTP clients do. Its request is lost if it gets no right response then.
"""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing.pool import ApplyResult, Pool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from benchmarks import hostile
from benchmarks.common import ROOT, report, table
from benchmarks.processes import children_of, open_files, resident_mb
from recommender.common.progress import progress
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import BASE_DIR, Container
from recommender.sagemaker.server_environment import CONTAINER_LOG_LEVEL, MODEL_SERVER_WORKERS
from recommender.service.process import Server, running_server
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE

ON_CORE_0 = ("taskset", "-c", "0")
ONE_WORKER = {MODEL_SERVER_WORKERS: "1", CONTAINER_LOG_LEVEL: "WARNING"}
PING_PAUSE_SECONDS = 0.02
SAMPLE_SECONDS = 10
GOOD_CLIENTS = 4
SEVERAL, MANY = 20, 200  # records of the larger requests of a good client
# The attacks of the soak. The others occupy the worker all the time, so the soak would only measure the queue.
IN_SOAK = [attack for name, attack in hostile.ATTACKS.items() if "at once" not in name]
Request = tuple[str, bytes]  # media type and body


@dataclass
class Pings:
    """The times of pings in milliseconds, and the number of failed ones."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0

    def percentiles(self) -> list[str]:
        """Return p50, p99 and the maximum as text."""
        return [f"{value:.1f}" for value in np.percentile(self.milliseconds, [50, 99, 100])]


@dataclass
class GoodClient:
    """The results of a good client in a soak.

    Attributes:
        right: number of requests with the right response.
        busy: number of requests with a 503 response, which the client may repeat.
        lost: number of all other requests.
        reopened: number of idle connections that the server closed.
        milliseconds: times of the right responses to single records.
    """

    right: int = 0
    busy: int = 0
    lost: int = 0
    reopened: int = 0
    milliseconds: list[float] = field(default_factory=list)


@click.command(help=__doc__)
@click.option("--minutes", type=click.FloatRange(0.1), default=10, show_default=True, help="Minutes of the soak.")
@click.option("--seconds", type=click.FloatRange(1), default=10, show_default=True, help="Seconds of each attack.")
@click.option("--fuzzed", type=click.IntRange(2_000), default=100_000, show_default=True, help="Requests to fuzz with.")
@click.option("--report/--no-report", "writes", default=True, help="Write results/reliability.md.")
def main(minutes: float, seconds: float, fuzzed: int, writes: bool) -> None:
    """Run the fuzz test, the attacks and the soak, and report."""
    fuzz_found = fuzz(fuzzed)  # first: a failure must be fixed before anything is measured
    with TemporaryDirectory() as tmp, multiprocessing.get_context("spawn").Pool(2 + GOOD_CLIENTS, _on_core_1) as pool:
        train(Path(tmp))
        attacks = under_attack(Path(tmp), pool, seconds)
        end = seconds_to_end(Path(tmp))
        soaked = soak(Path(tmp), pool, minutes * 60)
    parts = [
        __doc__.split("\n\n")[1].replace("\n", " "),
        f"Each attack is repeated for {seconds:g} s on a fresh server. Columns: times of `/ping` in ms, memory in MB.",
        attacks,
        f"With an idle kept-alive connection, the server exits {end:.2f} s after SIGTERM.",
        f"A soak of {minutes:g} minutes with {GOOD_CLIENTS} good clients and one attack after the other:",
        soaked,
        fuzz_found,
    ]
    if writes:
        report("reliability", *parts)
    else:
        print("\n\n".join(parts))


def train(folder: Path) -> None:
    """Make data and a model with the command line."""
    raw, channels = folder / "raw", folder / "input" / "data"
    commands = [
        ["recommender", "synthesize", "--output", str(raw)],
        ["recommender", "prepare", "--reviews", str(raw / REVIEWS_FILE), "--metadata", str(raw / METADATA_FILE),
         "--output", str(channels)],
        ["recommender", "train", "--report", "false"],
    ]  # fmt: skip
    for command in progress(commands, "the model"):
        environment = {**os.environ, BASE_DIR: str(folder)}
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, check=True, capture_output=True)


def under_attack(folder: Path, pool: Pool, seconds: float) -> str:
    """Return a table with a row for each attack."""
    rows = []
    model = Recommender.load(Container(folder).model_dir).model
    items = [model.items.id(number) for number in range(len(model.items))]
    attacks = {"no attack": None, **hostile.attacks(model.users.id(0), items)}
    for name, attack in progress(attacks.items(), "attacks"):
        with running_server(folder, ONE_WORKER, ON_CORE_0) as server:
            (worker,) = children_of(server.process.pid)
            before = resident_mb(worker)
            pinged = pool.apply_async(ping_for, (server.port, seconds))
            attacked = pool.apply_async(attack_for, (attack, server.port, seconds))
            statuses, pings = attacked.get(), pinged.get()
            killed = children_of(server.process.pid) != [worker]
            peak = "" if killed else f"{resident_mb(worker, 'VmHWM') - before:+.0f}"
            rows.append([name, _counts(statuses), *pings.percentiles(), pings.failed, peak, int(killed)])
    header = ["attack", "responses", "p50", "p99", "maximum", "failed", "peak MB, minus before", "kills"]
    return table(header, rows)


def ping_for(port: int, seconds: float) -> Pings:
    """Send pings on new connections for this time, with normal priority; return their times."""
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    pings, end = Pings(), time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/ping")
            pings.failed += connection.getresponse().status != 200
        except (OSError, HTTPException):
            pings.failed += 1
        finally:
            connection.close()
        pings.milliseconds.append((time.perf_counter() - began) * 1000)
        time.sleep(PING_PAUSE_SECONDS)
    return pings


def attack_for(attack: hostile.Attack | None, port: int, seconds: float) -> "Counter[str]":
    """Repeat an attack, or only wait for None; the low priority keeps pings from waiting for the attacker's CPU."""
    os.setpriority(os.PRIO_PROCESS, 0, 10)
    if attack is None:
        time.sleep(seconds)
        return Counter()
    return hostile.repeat(attack, port, seconds)


def attack_in_turn(port: int, seconds: float) -> "Counter[str]":
    """Repeat the attacks of a soak in turn for this time; return the statuses of their responses."""
    end, found = time.monotonic() + seconds, Counter[str]()
    while time.monotonic() < end:
        for attack in IN_SOAK:
            found += attack_for(attack, port, 1)
    return found


def seconds_to_end(folder: Path) -> float:
    """Return the seconds from SIGTERM to the exit of a server with an idle connection."""
    with running_server(folder, ONE_WORKER) as server:
        connection = HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/ping")
        connection.getresponse().read()
        began = time.perf_counter()
        server.process.terminate()
        server.process.wait(60)
        return time.perf_counter() - began


def soak(folder: Path, pool: Pool, seconds: float) -> str:
    """Return a table of the responses to right and hostile clients, and of the server's memory and open files."""
    users = Recommender.load(Container(folder).model_dir).model.users
    known = [users.id(number % len(users)) for number in range(GOOD_CLIENTS * MANY)]
    requests = [requests_of(known[client::GOOD_CLIENTS]) for client in range(GOOD_CLIENTS)]
    with running_server(folder, ONE_WORKER, ON_CORE_0) as server:
        (worker,) = children_of(server.process.pid)
        expected = [[response_of_idle(server, request) for request in of_client] for of_client in requests]
        files = open_files(worker)
        clients = [
            pool.apply_async(send_for, (server.port, *both, seconds)) for both in zip(requests, expected, strict=True)
        ]
        pinged = pool.apply_async(ping_for, (server.port, seconds))
        attacked = pool.apply_async(attack_in_turn, (server.port, seconds))
        memory = _memory_until([*clients, pinged, attacked], server, worker, seconds)
        found, pings = [client.get() for client in clients], pinged.get()
        time.sleep(1)
        killed = children_of(server.process.pid) != [worker]
        files_after = 0 if killed else open_files(worker)
    times = np.percentile(np.concatenate([client.milliseconds for client in found]), [50, 99])
    quarter = max(1, len(memory) // 4)
    early, late = np.median(memory[quarter : 2 * quarter] or memory), np.median(memory[-quarter:])
    rows: Sequence[Sequence[object]] = [
        ["requests with a right response", f"{sum(client.right for client in found):,}"],
        ["requests that got 503 and may come again", f"{sum(client.busy for client in found):,}"],
        ["requests lost", sum(client.lost for client in found)],
        ["idle connections closed and opened again", f"{sum(client.reopened for client in found):,}"],
        ["hostile requests and connections", _counts(attacked.get())],
        ["ms of a right response to one record, p50 and p99", f"{times[0]:.1f}, {times[1]:.1f}"],
        ["ms of `/ping`, p50, p99 and maximum", ", ".join(pings.percentiles())],
        ["`/ping` failed", pings.failed],
        ["MB of the worker, medians of the second and of the last quarter", f"{early:.1f}, {late:.1f}"],
        ["open files, at the beginning and at the end", f"{files}, {files_after}"],
        ["kills of the worker", int(killed)],
    ]
    return table(["", ""], rows)


def _memory_until(results: "Sequence[ApplyResult[Any]]", server: Server, worker: int, seconds: float) -> list[float]:
    memory = []
    while not all(result.ready() for result in results):
        time.sleep(min(SAMPLE_SECONDS, seconds / 8))
        if worker in children_of(server.process.pid):
            memory.append(resident_mb(worker))
    return memory


def requests_of(users: Sequence[str]) -> list[Request]:
    """Return right requests of every media type and several sizes; each of the first `SEVERAL` has one record."""
    return [
        *[("application/json", json.dumps({"user_id": user}).encode()) for user in users[:SEVERAL]],
        ("application/jsonlines", b"\n".join(json.dumps({"user_id": user}).encode() for user in users[:SEVERAL])),
        ("text/csv", "\n".join(users[:SEVERAL]).encode()),
        ("application/json", json.dumps({"instances": [{"user_id": user} for user in users]}).encode()),
    ]


def response_of_idle(server: Server, request: Request) -> bytes:
    """Return the response of an idle server: the right one."""
    media_type, body = request
    status, response = server.request("POST", "/invocations", body, {"Content-Type": media_type})
    if status != 200:
        sys.exit(f"{media_type}: expected status 200 for a right request, got {status}: {response!r}")
    return response


def send_for(port: int, requests: Sequence[Request], expected: Sequence[bytes], seconds: float) -> GoodClient:
    """Send right requests on a kept-alive connection for this time, and compare the responses."""
    os.setpriority(os.PRIO_PROCESS, 0, 5)
    client = GoodClient()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for place, (media_type, body) in enumerate(requests):
            began = time.perf_counter()
            status, response = _response(connection, media_type, body, client)
            if status == 200 and response == expected[place]:
                client.right += 1
                if place < SEVERAL:
                    client.milliseconds.append((time.perf_counter() - began) * 1000)
            elif status == 503:
                client.busy += 1
            else:
                client.lost += 1
    return client


def _response(connection: HTTPConnection, media_type: str, body: bytes, client: GoodClient) -> tuple[int, bytes]:
    def send() -> tuple[int, bytes]:
        connection.request("POST", "/invocations", body, {"Content-Type": media_type})
        response = connection.getresponse()
        return response.status, response.read()

    for attempt in range(2):
        is_reused = connection.sock is not None
        try:
            return send()
        except (OSError, HTTPException):
            connection.close()
            if attempt or not is_reused:
                break
            client.reopened += 1
    return 0, b""


def fuzz(requests: int) -> str:
    """Run the fuzz test; return its result as text."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--capture", "no", "tests/service/test_fuzz.py"]
    environment = {**os.environ, "FUZZ_REQUESTS": str(requests)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    line = re.search(r"^fuzzed (\{.*\})$", ended.stdout, re.MULTILINE)
    if ended.returncode or not line:
        sys.exit(f"tests/service/test_fuzz.py failed:\n{ended.stdout}{ended.stderr}")
    found = json.loads(line[1])
    silent = found["statuses"].pop("0", 0)
    return (
        f"`make fuzz`: {found['requests']:,} connections with hostile requests. {silent:,} got no response: the client "
        f"reset them, or sent no whole line. The others got {_counts(Counter(found['statuses']))}. No response was "
        f"wrong, and no worker was killed. The worker's memory changed by {found['drift_mb']:+.1f} MB."
    )


def _counts(statuses: "Counter[str]") -> str:
    return ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items())) or "nothing"


def _on_core_1() -> None:
    os.sched_setaffinity(0, {1})


if __name__ == "__main__":
    main()
