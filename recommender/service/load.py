"""The limits of a worker's simultaneous work. A request above them gets status 503; the others are unaffected."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from werkzeug.exceptions import ServiceUnavailable

MAX_REQUESTS = 500  # requests that a worker computes or that wait for its CPU
MAX_RECORDS = 10_000  # records of these requests: 10 s of work at 1 ms each; SageMaker allows 60 s
MAX_BODIES = 24  # memory for bodies, decoded values and responses, in bodies of maximum size; one takes up to 11
SMALL = (
    64 * 2**10
)  # bytes; bodies and responses up to this size are always accepted, so large ones block no other client
RETRY_AFTER = 1  # second, as in the message


class Load:
    """A counter of the requests, records and bytes of a worker.

    Args:
        max_body_bytes: maximum size of a request body, and of a response in real time.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._requests = self._records = self._bytes = 0
        self._max_bytes = MAX_BODIES * max_body_bytes

    @contextmanager
    def work(self, records: int) -> Iterator[None]:
        """Count a request while it is computed.

        Args:
            records: its number of records; 0 if it has no limit.

        Raises:
            ServiceUnavailable: the worker has too many requests or records in progress.
        """
        if self._requests >= MAX_REQUESTS or self._records + records > max(MAX_RECORDS, records):
            raise _overloaded(f"{self._requests} requests with {self._records} records are in progress")
        self._requests += 1
        self._records += records
        try:
            yield
        finally:
            self._requests -= 1
            self._records -= records

    def turn(self) -> AbstractContextManager[None]:
        """Wait until the CPU is free for the next recommendation, and hold it for the length of the block."""
        return nullcontext()

    def pause(self) -> None:
        """Let the worker handle its connections during a turn."""

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        """Limit the time of a block that waits for its client; TimeoutError ends it."""
        return nullcontext()

    def held(self) -> "Held":
        """Return a counter for the bytes of one request."""
        return Held(self)

    def hold(self, count: int, *, small: bool) -> None:
        """Count bytes in memory.

        Raises:
            ServiceUnavailable: requests and responses fill the memory reserved for them.
        """
        if self._bytes + count > self._max_bytes and not small:
            raise _overloaded(f"requests and responses take {self._bytes} bytes of memory")
        self._bytes += count


class Held:
    """The bytes of one request and its response."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._bytes = 0

    def add(self, count: int) -> None:
        """Count more bytes; see `Load.hold`."""
        self._load.hold(count, small=self._bytes + count <= SMALL)
        self._bytes += count

    def release(self) -> None:
        """Stop counting the bytes of this request."""
        self._load.hold(-self._bytes, small=True)
        self._bytes = 0


def _overloaded(found: str) -> ServiceUnavailable:
    return ServiceUnavailable(f"this worker is busy: {found}. Try again in a second")
