"""A synthetic fashion data set of any size, in the raw schema of Amazon Reviews 2023 or as channels."""
