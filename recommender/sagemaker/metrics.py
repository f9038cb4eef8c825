"""How metrics are printed, and how SageMaker reads them (contract T21)."""

import re
from collections.abc import Iterable, Mapping


def metric_definitions(names: Iterable[str]) -> list[dict[str, str]]:
    """Return `MetricDefinitions` of a SageMaker training job: the name and the regular expression of each metric."""
    number = r"([-+]?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)"
    return [{"Name": name, "Regex": rf"\b{re.escape(name)}={number};"} for name in names]


def metric_lines(values: Mapping[str, float | int]) -> list[str]:
    """Return a line `name=value;` for each metric."""
    return [f"{name}={value if isinstance(value, int) else format(value, '.6g')};" for name, value in values.items()]
