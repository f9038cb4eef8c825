"""Render the templates of the package. Every page extends `pages/base.html` and has its stylesheet inside."""

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined


def render(name: str, **values: object) -> str:
    """Render a template as HTML; the same values give the same bytes, and text from the data is escaped.

    Args:
        name: a file below the package, such as `report/page.html`.
        **values: the variables of the template.
    """
    return environment().get_template(name).render(values)


def environment() -> Environment:
    """Return the settings and filters that all templates share."""
    shared = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared.filters |= {"whole": "{:,}".format, "share": _share, "places": _places}
    return shared


def _read(name: str) -> str:
    return files("recommender").joinpath(name).read_text(encoding="utf-8")


def _share(value: float, places: int = 2) -> str:
    return f"{value:.{places}%}"


def _places(value: float, places: int = 3) -> str:
    return f"{value:.{places}f}"
