"""Compilation to machine code with numba."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function. Cache the machine code on disk for the next process if a folder is writable."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither this folder nor the home folder is writable
        return numba.njit(nogil=True)(function)
