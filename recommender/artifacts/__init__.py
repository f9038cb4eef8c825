"""A fitted model <-> a folder, or an archive of it."""
