"""The console commands: options, exit codes, one module for each command."""
