"""The contract of a SageMaker container: all names of its environment."""
