"""The console commands: options, exit codes, one module for each command."""

from recommender.common.cores import limit_threads

limit_threads()  # before a command imports numpy, torch or Arrow
