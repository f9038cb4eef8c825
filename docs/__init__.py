"""The documentation, and the generators of the parts that come from the code."""
