"""The script of an AWS Glue job: it runs `recommender prepare` on Glue's Spark, with the job's arguments.

Glue adds its own arguments to those of the job. The script passes on only options of the command.
"""

import sys

from recommender.cli.prepare import command, main

OPTIONS = {option for parameter in command().params for option in parameter.opts}


def options_in(arguments: list[str]) -> list[str]:
    """Return the command's options among all arguments, with their values: `--name value` or `--name=value`."""
    found = []
    for position, argument in enumerate(arguments):
        if argument.partition("=")[0] in OPTIONS:
            found += [argument] if "=" in argument else arguments[position : position + 2]
    return found


if __name__ == "__main__":
    if main([*options_in(sys.argv[1:]), "--engine", "spark"]):
        raise SystemExit("the job failed: its log says why")  # Glue shows a message, but no exit code
