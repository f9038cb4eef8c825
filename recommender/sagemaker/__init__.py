"""The contract of a SageMaker container: every name of its environment."""
