"""The lines of metrics in the log, and the definitions by which SageMaker reads them (contract T21)."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice

MAX_DEFINITIONS = 40  # SageMaker's limit per job


def metric_definitions(names: Iterable[str]) -> list[dict[str, str]]:
    """Return `MetricDefinitions` of a SageMaker training job: the name and the regular expression of each metric.

    Args:
        names: the metrics; only the first `MAX_DEFINITIONS` are used.
    """
    number = r"([-+]?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)"
    return [{"Name": name, "Regex": rf"\b{re.escape(name)}={number};"} for name in islice(names, MAX_DEFINITIONS)]


def metric_lines(values: Mapping[str, float | int]) -> list[str]:
    """Return a line `name=value;` for each metric."""
    return [f"{name}={value if isinstance(value, int) else format(value, '.6g')};" for name, value in values.items()]
