"""The components of a folder, found by scanning it: a new file is a new component."""

import re
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from recommender.components.base import Component

NAME = re.compile(r"[a-z][a-z0-9_]*")
RESERVED = ("final", "candidates", "test", "paper", "attributes")  # names of other orders, metrics and files


def components_in(package: str, base: type[object]) -> dict[str, Any]:
    """Return the components that the modules of a package define, by name, in alphabetical order of the modules.

    Args:
        package: such as recommender.candidates.
        base: the base class of the components.

    Raises:
        TypeError: two components have the same name, or a name has other characters than a-z, 0-9 and _.
    """
    found: dict[str, Any] = {}
    for module in sorted(iter_modules(import_module(package).__path__), key=lambda module: module.name):
        name = f"{package}.{module.name}"
        for value in vars(import_module(name)).values():
            is_own = isinstance(value, type) and issubclass(value, base) and value.__module__ == name
            if is_own and "name" in vars(value):  # else it is a base class
                _add(found, value)
    return found


def merged(*registries: Mapping[str, type[Component]]) -> dict[str, type[Component]]:
    """Return the components of several folders, by name.

    Raises:
        TypeError: two of them have one name.
    """
    found: dict[str, type[Component]] = {}
    for registry in registries:
        for component in registry.values():
            _add(found, component)
    return found


def _add(found: dict[str, Any], component: Any) -> None:  # noqa: ANN401 - a class with a name
    if not NAME.fullmatch(component.name):
        raise TypeError(f"{component.__module__}: expected a name such as item_age, got {component.name!r}")
    if component.name in RESERVED:
        raise TypeError(f"{component.__module__}: expected another name than {', '.join(RESERVED)}")
    if missing := sorted(component.__abstractmethods__):
        raise TypeError(f"{component.__module__}: {component.__name__} lacks {', '.join(missing)}")
    if component.name in found:
        taken = found[component.name].__module__
        raise TypeError(f"{component.__module__}: the name {component.name!r} is taken by {taken}")
    found[component.name] = component
