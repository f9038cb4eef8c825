"""The command lines -> docs/reference/commands.md."""

import click

from docs.tables import table
from infra.__main__ import cli
from recommender.__main__ import COMMANDS, module_of
from recommender.config import Config
from recommender.hyperparameters import TrainConfig
from recommender.prepare.config import PrepareConfig

SHARED: dict[type[Config], str] = {  # the fields of these are options of several commands
    TrainConfig: "Each [hyper-parameter](hyper-parameters.md) is an option, too.",
    PrepareConfig: "Each [option of `prepare`](hyper-parameters.md#options-of-prepare) is an option, too.",
}


def of_the_package() -> str:
    """Return a section for each sub-command of `recommender`."""
    return "\n".join(_section(f"recommender {name}", _command(name)) for name in COMMANDS)


def of_infra() -> str:
    """Return a section for each sub-command of `python -m infra`."""
    return "\n".join(_section(f"infra {name}", command) for name, command in cli.commands.items())


def _command(name: str) -> click.Command:
    command = module_of(name).command
    return command if isinstance(command, click.Command) else command()


def _section(title: str, command: click.Command) -> str:
    with click.Context(command, info_name=title) as context:
        usage = " ".join([title, *command.collect_usage_pieces(context)])
        options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
        names = {option.name for option in options}
        shared = [config for config in SHARED if names >= {*config.model_fields}]
        own = [option for option in options if not any(_is_field(option, config) for config in shared)]
        parts = [f"## {title}\n", f"{str(command.help).partition(chr(10))[0]}\n", f"```text\n{usage}\n```\n"]
        if own:
            parts.append(table(["option", "default", "meaning"], [_row(option, context) for option in own]))
        notes = [SHARED[config] for config in shared]
        return "\n".join([*parts, *(f"{note}\n" for note in notes)])


def _is_field(option: click.Option, config: type[Config]) -> bool:
    """Return whether the option sets a field; other options may have the same name."""
    field = config.model_fields.get(str(option.name))
    return field is not None and str(option.help).startswith(str(field.description))


def _row(option: click.Option, context: click.Context) -> list[str]:
    """Return the option with its value, its default, and its help with the range of its value."""
    kind, default = option.type, option.get_default(context)
    is_number = isinstance(kind, click.IntRange)
    value = "N" if is_number else "" if option.is_flag else option.make_metavar(context)
    flags = [f"{flag} {value}".strip() for flag in (option.opts[0], *option.secondary_opts)]
    if option.required:
        shown = "required"
    elif option.is_flag:
        shown = f"`{option.opts[0]}`" if default is True else ""
    else:
        shown = f"`{default}`" if isinstance(default, str | int) else ""
    text = str(option.help).replace("  [", " [")
    if isinstance(kind, click.IntRange):
        text += f" At least {kind.min:,}." if kind.max is None else f" {kind.min:,} to {kind.max:,}."
    return [_escaped(", ".join(f"`{flag}`" for flag in flags)), shown, _escaped(text)]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
