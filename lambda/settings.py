"""The environment variables of the function, with their names and defaults; read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

ENDPOINT_NAME = "ENDPOINT_NAME"
REGION = "AWS_REGION"  # Lambda sets it
CONNECT_TIMEOUT = "CONNECT_TIMEOUT_SECONDS"
READ_TIMEOUT = "READ_TIMEOUT_SECONDS"
CORS_ORIGIN = "CORS_ORIGIN"

# API Gateway times out after 29 s (REST) or 30 s (HTTP API), and the function after 28 s. Both timeouts together stay
# below that, so that the client gets the function's 504 and the log gets its line.
DEFAULT_CONNECT_TIMEOUT, DEFAULT_READ_TIMEOUT, MAX_SECONDS = 2.0, 23.0, 27.0


class SettingsError(Exception):
    """A variable is missing or invalid, so the function does not start."""


@dataclass(frozen=True)
class Settings:
    """The settings of the function.

    Attributes:
        endpoint_name: the SageMaker endpoint.
        region: region of the endpoint.
        connect_timeout: seconds to connect to it.
        read_timeout: seconds for its response.
        cors_origin: the web origin that may read responses; None: the gateway handles CORS, or no origin may.
    """

    endpoint_name: str
    region: str
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    read_timeout: float = DEFAULT_READ_TIMEOUT
    cors_origin: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from environment variables.

        Raises:
            SettingsError: a variable is missing or invalid; the message names it and what was expected.
        """
        settings = cls(
            endpoint_name=_required(environ, ENDPOINT_NAME, "the name of a SageMaker endpoint"),
            region=_required(environ, REGION, "the endpoint's region, such as eu-west-1"),
            connect_timeout=_seconds(environ, CONNECT_TIMEOUT, DEFAULT_CONNECT_TIMEOUT),
            read_timeout=_seconds(environ, READ_TIMEOUT, DEFAULT_READ_TIMEOUT),
            cors_origin=environ.get(CORS_ORIGIN) or None,
        )
        if settings.seconds_of_a_try > MAX_SECONDS:
            raise SettingsError(
                f"{CONNECT_TIMEOUT} + {READ_TIMEOUT}: expected at most {MAX_SECONDS:g} s together, below the "
                f"gateway's 29 s, got {settings.seconds_of_a_try:g} s"
            )
        return settings

    @property
    def seconds_of_a_try(self) -> float:
        """The maximum duration of one call of the endpoint."""
        return self.connect_timeout + self.read_timeout


def _required(environ: Mapping[str, str], name: str, expected: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"{name}: expected {expected}; it is not set")
    return value


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= MAX_SECONDS:  # also catches NaN
        raise SettingsError(f"{name}: expected seconds, 0.1 to {MAX_SECONDS:g}, got {text[:80]!r}")
    return seconds
