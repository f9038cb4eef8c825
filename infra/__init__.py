"""The AWS side: stacks, launch commands, and the way through it on one machine."""
