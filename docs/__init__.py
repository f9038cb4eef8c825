"""Documents, and what generates their parts that the code decides."""
