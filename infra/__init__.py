"""The AWS side: stacks, launch commands, and a local emulation of the whole path."""
