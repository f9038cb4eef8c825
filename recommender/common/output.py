"""Lines for people, on stdout and stderr. No line can make a command fail."""

import os
import sys
from pathlib import Path
from typing import TextIO

from tqdm import tqdm


def accept_all_text() -> None:
    """Let stdout and stderr write all text: characters that their encoding lacks are escaped.

    Each command calls it first. A stream that is closed, which Python has as None, writes nothing.
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test's stream may have none
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print a line on stdout at once, above a progress bar if there is one."""
    _write(line, sys.stdout)


def complain(line: str) -> None:
    """Print a line on stderr at once, above a progress bar if there is one."""
    _write(line, sys.stderr)


def _write(line: str, stream: TextIO) -> None:
    try:
        tqdm.write(line, file=stream)
        stream.flush()
    except (OSError, UnicodeError):
        _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Send all else of a stream to nowhere: its reader is gone or its disk is full.

    Python would end with exit code 120 if it could not write what is left in the stream.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
