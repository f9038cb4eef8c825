"""The SageMaker container contract of hosting and of batch transform: what the environment and the bodies may be.

Source: Amazon SageMaker Developer Guide, "Use Your Own Inference Code with Hosting Services" and "... with Batch
Transform". Every environment name of the server stands here and is read once, into a frozen snapshot.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from recommender.common.messages import shown
from recommender.errors import ConfigError
from recommender.sagemaker.environment import whole_number

BIND_TO_PORT = "SAGEMAKER_BIND_TO_PORT"
MODEL_SERVER_WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"
MODEL_SERVER_TIMEOUT = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
CONTAINER_LOG_LEVEL = "SAGEMAKER_CONTAINER_LOG_LEVEL"
DEFAULT_INVOCATIONS_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
MAX_PAYLOAD_IN_MB = "SAGEMAKER_MAX_PAYLOAD_IN_MB"
BATCH = "SAGEMAKER_BATCH"  # "true" in a batch transform job (contract S18)
# The same without SAGEMAKER_, as Amazon's bring-your-own-container sample has them (S14).
SHORT_NAMES = {MODEL_SERVER_WORKERS: "MODEL_SERVER_WORKERS", MODEL_SERVER_TIMEOUT: "MODEL_SERVER_TIMEOUT"}

DEFAULT_PORT = 8080
DEFAULT_TIMEOUT = 60  # seconds that SageMaker gives an answer (contract S6)
DEFAULT_PAYLOAD_IN_MB, MOST_PAYLOAD_IN_MB = 6, 100  # of a real-time request; of a batch transform's (S7, S18)


class MediaType(StrEnum):
    """What the body of a request and of an answer may be (contract S10)."""

    JSON = "application/json"
    JSON_LINES = "application/jsonlines"
    CSV = "text/csv"

    @classmethod
    def of(cls, name: str) -> "MediaType | None":
        """The media type of that name, which has no parameters; None where it is none of these."""
        name = name.strip().lower()
        return MEDIA_TYPE_ALIASES.get(name) or (cls(name) if name in set(cls) else None)


MEDIA_TYPE_ALIASES = {"application/x-jsonlines": MediaType.JSON_LINES, "application/x-ndjson": MediaType.JSON_LINES}


@dataclass(frozen=True)
class ServerSettings:
    """How the server runs, as the environment of the container says (contract S2, S13, S14, S18).

    Attributes:
        port: where it listens.
        workers: processes.
        timeout: seconds after which a worker that gives no sign is replaced.
        log_level: as Python's logging has it: 10 is DEBUG, 20 INFO, and so on.
        accept: media type of an answer where the request does not say; None: that of the request.
        max_body_bytes: of a request.
        is_batch: whether it serves a batch transform: then a request may have any number of records.
    """

    port: int = DEFAULT_PORT
    workers: int = 1
    timeout: int = DEFAULT_TIMEOUT
    log_level: int = logging.INFO
    accept: MediaType | None = None
    max_body_bytes: int = DEFAULT_PAYLOAD_IN_MB * 2**20
    is_batch: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "ServerSettings":
        """As SageMaker names them; by default port 8080 and one worker a core.

        Raises:
            ConfigError: a variable is not what is expected of it.
        """
        payload = whole_number(environ, MAX_PAYLOAD_IN_MB, DEFAULT_PAYLOAD_IN_MB, MOST_PAYLOAD_IN_MB, lowest=0)
        return cls(
            port=whole_number(environ, BIND_TO_PORT, DEFAULT_PORT, 65_535),
            workers=_by_either_name(environ, MODEL_SERVER_WORKERS, available_cores(), 1_024),
            timeout=_by_either_name(environ, MODEL_SERVER_TIMEOUT, DEFAULT_TIMEOUT, 3_600),
            log_level=_log_level(environ),
            accept=_accept(environ),
            max_body_bytes=(payload or MOST_PAYLOAD_IN_MB) * 2**20,  # 0: SageMaker does not say how large (S18)
            is_batch=environ.get(BATCH, "").lower() == "true",
        )

    @property
    def max_payload_in_mb(self) -> int:
        """`max_body_bytes` as SageMaker counts it."""
        return self.max_body_bytes // 2**20


def _accept(environ: Mapping[str, str]) -> MediaType | None:
    text = environ.get(DEFAULT_INVOCATIONS_ACCEPT)
    if text and MediaType.of(text) is None:
        raise ConfigError(f"{DEFAULT_INVOCATIONS_ACCEPT}: expected one of {', '.join(MediaType)}, got {shown(text)}")
    return MediaType.of(text) if text else None


def _log_level(environ: Mapping[str, str]) -> int:
    """A number or a name of Python's logging."""
    text = environ.get(CONTAINER_LOG_LEVEL) or "INFO"
    levels = logging.getLevelNamesMapping()
    if text.upper() in levels:
        return levels[text.upper()]
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= logging.CRITICAL):
        raise ConfigError(
            f"{CONTAINER_LOG_LEVEL}: expected 10, 20, 30 ... or DEBUG, INFO, WARNING ..., got {shown(text)}"
        )
    return int(text)


def _by_either_name(environ: Mapping[str, str], name: str, default: int, highest: int) -> int:
    short = SHORT_NAMES[name]
    return whole_number(environ, short if environ.get(short) and not environ.get(name) else name, default, highest)


def available_cores() -> int:
    """Cores that this process may use."""
    # Not every platform can tell the cores this process may use from those that exist.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
