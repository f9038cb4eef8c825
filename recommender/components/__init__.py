"""The contract of the parts of a model: candidate sources and ranking features."""
