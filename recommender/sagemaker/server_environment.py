"""The SageMaker container contract of hosting and batch transform: environment and media types.

Source: Amazon SageMaker Developer Guide, "Use Your Own Inference Code with Hosting Services" and "... with Batch
Transform". This module has every environment name of the server. It is read once, into a frozen snapshot.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from recommender.common.cores import available_cores
from recommender.common.messages import shown
from recommender.errors import ConfigError
from recommender.sagemaker.environment import whole_number

BIND_TO_PORT = "SAGEMAKER_BIND_TO_PORT"
MODEL_SERVER_WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"
MODEL_SERVER_TIMEOUT = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
CONTAINER_LOG_LEVEL = "SAGEMAKER_CONTAINER_LOG_LEVEL"
DEFAULT_INVOCATIONS_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
MAX_PAYLOAD_IN_MB = "SAGEMAKER_MAX_PAYLOAD_IN_MB"
HOST = "SERVER_HOST"  # a variable of this project, like the next one; the image sets both
USER = "SERVER_USER"
BATCH = "SAGEMAKER_BATCH"  # "true" in a batch transform job (contract S18)
MODEL_SHA256 = "RECOMMENDER_MODEL_SHA256"  # a variable of this project, like the next one
DENY_LIST = "RECOMMENDER_DENY_LIST"
# Names without SAGEMAKER_, which Amazon's bring-your-own-container sample uses (S14).
SHORT_NAMES = {MODEL_SERVER_WORKERS: "MODEL_SERVER_WORKERS", MODEL_SERVER_TIMEOUT: "MODEL_SERVER_TIMEOUT"}

PING = "/ping"  # path of the health check (S3)
DEFAULT_HOST = "127.0.0.1"  # not reachable from a laptop's network; the image sets 0.0.0.0
MAX_USER = 2**31 - 1
DEFAULT_PORT, MAX_PORT = 8080, 65_535
DEFAULT_TIMEOUT = 60  # seconds that SageMaker waits for a response (contract S6)
DEFAULT_PAYLOAD_IN_MB, PAYLOAD_LIMIT_IN_MB = (
    6,
    100,
)  # SageMaker's limits of real-time requests and of batch transform (S7, S18)


class MediaType(StrEnum):
    """The media types of request and response bodies (contract S10)."""

    JSON = "application/json"
    JSON_LINES = "application/jsonlines"
    CSV = "text/csv"

    @classmethod
    def of(cls, name: str) -> "MediaType | None":
        """Return the media type with that name, without parameters; None for any other name."""
        name = name.strip().lower()
        return MEDIA_TYPE_ALIASES.get(name) or (cls(name) if name in set(cls) else None)


MEDIA_TYPE_ALIASES = {"application/x-jsonlines": MediaType.JSON_LINES, "application/x-ndjson": MediaType.JSON_LINES}


@dataclass(frozen=True)
class ServerSettings:
    """The settings of the server, from the environment of the container (contract S2, S13, S14, S18).

    Attributes:
        host: the address that it listens on.
        port: the port that it listens on.
        workers: number of processes.
        timeout: seconds after which an unresponsive worker is replaced.
        log_level: level of Python's logging: 10 is DEBUG, 20 INFO, and so on.
        accept: media type of a response if the request accepts any; None: that of the request.
        max_body_bytes: maximum size of a request body.
        is_batch: whether it serves a batch transform, with any number of records per request.
        user: number of the user and group that the workers become if the server is root; None: they stay root.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    workers: int = 1
    timeout: int = DEFAULT_TIMEOUT
    log_level: int = logging.INFO
    accept: MediaType | None = None
    max_body_bytes: int = DEFAULT_PAYLOAD_IN_MB * 2**20
    is_batch: bool = False
    user: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "ServerSettings":
        """Read the settings from SageMaker's variables; by default port 8080 and one worker per core.

        Raises:
            ConfigError: a variable has an invalid value.
        """
        payload = whole_number(environ, MAX_PAYLOAD_IN_MB, DEFAULT_PAYLOAD_IN_MB, PAYLOAD_LIMIT_IN_MB, lowest=0)
        return cls(
            host=_host(environ),
            user=whole_number(environ, USER, 0, MAX_USER, lowest=0) or None,
            port=whole_number(environ, BIND_TO_PORT, DEFAULT_PORT, MAX_PORT),
            workers=_by_either_name(environ, MODEL_SERVER_WORKERS, available_cores(), 1_024),
            timeout=_by_either_name(environ, MODEL_SERVER_TIMEOUT, DEFAULT_TIMEOUT, 3_600),
            log_level=_log_level(environ),
            accept=_accept(environ),
            max_body_bytes=(payload or PAYLOAD_LIMIT_IN_MB) * 2**20,  # 0: SageMaker sets no maximum (S18)
            is_batch=environ.get(BATCH, "").lower() == "true",
        )

    @property
    def max_payload_in_mb(self) -> int:
        """`max_body_bytes` in the unit of SageMaker."""
        return self.max_body_bytes // 2**20


def _host(environ: Mapping[str, str]) -> str:
    text = environ.get(HOST) or DEFAULT_HOST
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ConfigError(f"{HOST}: expected an IPv4 address such as 0.0.0.0, got {shown(text)}") from None


def _accept(environ: Mapping[str, str]) -> MediaType | None:
    text = environ.get(DEFAULT_INVOCATIONS_ACCEPT)
    if text and MediaType.of(text) is None:
        raise ConfigError(f"{DEFAULT_INVOCATIONS_ACCEPT}: expected one of {', '.join(MediaType)}, got {shown(text)}")
    return MediaType.of(text) if text else None


def _log_level(environ: Mapping[str, str]) -> int:
    """Return the log level, given by number or by name."""
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


def model_sha256(given: str | None = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the SHA-256 that config.json of the model must have; None: any.

    Args:
        given: that of the command line, which takes precedence over the variable.
        environ: the environment.

    Raises:
        ConfigError: the text is not a SHA-256.
    """
    source, text = (MODEL_SHA256, environ.get(MODEL_SHA256) or None) if given is None else ("--model-sha256", given)
    if text is not None and not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise ConfigError(
            f"{source}: expected 64 hexadecimal digits, as sha256sum prints them for config.json of the model folder, "
            f"got {shown(text)}"
        )
    return text
