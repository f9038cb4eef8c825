"""One file of a channel in any of its formats -> checked chunks of its columns."""
