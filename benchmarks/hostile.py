"""Attacks of hostile clients on a server, by name; each function returns the counts of the response statuses."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial

HOLD_SECONDS = 3.0  # time for which clients hold a connection
LARGEST = 6 * 2**20  # bytes of the largest body that the server accepts
NONE, RESET = "no response", "connection lost"
Attack = Callable[[int], Counter[str]]  # port -> counts of the statuses


def posted(body: bytes, media_type: str = "application/json", length: int | None = None, header: str = "") -> bytes:
    """Return a POST request with this body; `length` replaces its Content-Length."""
    given = len(body) if length is None else length
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nContent-Length: {given}\r\n"
    return f"{head}{header}\r\n".encode() + body


def status_of(client: socket.socket) -> str:
    """Read the status of a response; leave the rest unread."""
    try:
        head = client.recv(64)
    except TimeoutError:
        return NONE
    except OSError:
        return RESET
    return head.split(b" ")[1].decode() if head.startswith(b"HTTP/1.1 ") else NONE


def one(data: bytes, port: int, *, half_closes: bool = False) -> str:
    """Send these bytes on a new connection, and read the response to its end; return its status."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        with suppress(OSError):
            client.sendall(data)
            if half_closes:
                client.shutdown(socket.SHUT_WR)
        status = status_of(client)
        client.settimeout(1)
        with suppress(OSError):
            while client.recv(2**20):
                pass
    return status


def once(data: bytes, port: int, *, half_closes: bool = False) -> Counter[str]:
    """Send these bytes once, on a new connection."""
    return Counter([one(data, port, half_closes=half_closes)])


def at_once(count: int, data: bytes, port: int) -> Counter[str]:
    """Send the same request on `count` connections at the same time."""
    found: Counter[str] = Counter()
    threads = [threading.Thread(target=lambda: found.update([one(data, port)])) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def held(count: int, data: bytes, port: int) -> Counter[str]:
    """Open `count` connections, send these bytes on each until the server stops reading, and hold them."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            with suppress(OSError):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                client.settimeout(0.2)
                clients.append(client)
                client.sendall(data)
        time.sleep(HOLD_SECONDS)
        for client in clients:
            client.settimeout(0.001)
        return Counter(status_of(client) for client in clients)


def by_urllib(size: int, port: int) -> Counter[str]:
    """Send a body of this size with urllib, which writes the whole body before it reads the response."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", b" " * size, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return Counter([str(response.status)])
    except urllib.error.HTTPError as error:
        return Counter([str(error.code)])
    except OSError:
        return Counter([RESET])


def _unfinished_head() -> bytes:
    return b"GET /ping HTTP/1.1\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 4_000) for n in range(192))


LARGE_RECORDS = json.dumps({"instances": [{"user_id": "u", "top_k": 1_000}] * 500}).encode()
ATTACKS: dict[str, Attack] = {
    "1,000,000 newlines as JSON lines": partial(once, posted(b"\n" * 10**6, "application/jsonlines")),
    "6 MiB of newlines as CSV": partial(once, posted(b"\n" * LARGEST, "text/csv")),
    "100,000 unknown keys": partial(once, posted(json.dumps({f"k{n}": 0 for n in range(100_000)}).encode())),
    "a user_id of 6 MB": partial(once, posted(json.dumps({"user_id": "u" * 6_000_000}).encode())),
    "2,000,000 empty lists": partial(once, posted(b"[" + b"[]," * 2_000_000 + b"[]]")),
    "500 records with top_k 1,000, 8 at once": partial(at_once, 8, posted(LARGE_RECORDS)),
    "1,000 bodies announced but not sent": partial(held, 1_000, posted(b"", length=LARGEST)),
    "100 bodies of 6 MiB without their last byte": partial(held, 100, posted(b" " * (LARGEST - 1), length=LARGEST)),
    "100 unfinished headers of 770 KB": partial(held, 100, _unfinished_head()),
    "a body of 7 MB, by urllib": partial(by_urllib, 7 * 10**6),
    "a body of 50 MB, by urllib": partial(by_urllib, 50 * 10**6),
    "1,000 idle connections": partial(held, 1_000, b""),
    "2,000 idle connections": partial(held, 2_000, b""),
    "the header SCRIPT_NAME": partial(
        once, b"GET /ping HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: x\r\nConnection: close\r\n\r\n"
    ),
    "8 bytes announced, 6 sent, half-closed": partial(once, posted(b"600\n60", "text/csv", length=8), half_closes=True),
    "200 requests on 200 connections": partial(at_once, 200, posted(b'{"user_id": "new"}')),
}


def attacks(user: str, items: Sequence[str]) -> dict[str, Attack]:
    """Return all attacks by name.

    Args:
        user: a user that the model knows; unknown ones take less work.
        items: items that the model knows.
    """
    history = [{"item_id": item} for item in items[:1_000]]
    many = [{"user_id": user, "num_candidates": 500}] * 1_000
    large = [{"user_id": user, "history": history, "top_k": 400, "num_candidates": 10_000}] * 50
    return ATTACKS | {
        f"the most work that one request may cause, {form}, 4 at once": partial(
            at_once, 4, posted(json.dumps({"instances": records}).encode())
        )
        for form, records in (("1,000 records", many), ("50 large records", large))
    }


def repeat(attack: Attack, port: int, seconds: float) -> Counter[str]:
    """Repeat an attack for this time; return the counts of the response statuses."""
    found: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found.update(attack(port))
        except OSError:
            found.update([RESET])
    return found
