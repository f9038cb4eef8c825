"""The options of a command line that set a configuration."""

from typing import get_args

import click

from recommender.config import Config


def options_of(config: type[Config]) -> list[click.Parameter]:
    """An option for each field, with "_" or "-" in its name; the values are converted by the configuration."""
    return [
        click.Option(
            list(dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])),
            metavar="|".join(arg for arg in get_args(field.annotation) if isinstance(arg, str)) or "VALUE",
            help=f"{field.description} [default: {field.default}]",
        )
        for name, field in config.model_fields.items()
    ]
