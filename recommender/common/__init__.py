"""What every room may use: messages, progress, files that are whole or absent."""
