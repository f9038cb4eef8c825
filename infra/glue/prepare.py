"""The script of an AWS Glue job: `recommender prepare` on Glue's Spark, with the job's arguments.

Glue adds its own arguments to those of the job; only options of the command are passed on.
"""

import sys

from recommender.cli.prepare import command, main

OPTIONS = {option for parameter in command().params for option in parameter.opts}


def own(arguments: list[str]) -> list[str]:
    """Return the options of the command, with their values, given as `--name value` or as `--name=value`."""
    found = []
    for place, argument in enumerate(arguments):
        if argument.partition("=")[0] in OPTIONS:
            found += [argument] if "=" in argument else arguments[place : place + 2]
    return found


if __name__ == "__main__":
    if main([*own(sys.argv[1:]), "--engine", "spark"]):
        raise SystemExit("the job has failed: its log says why")  # Glue shows a message, but not an exit code
