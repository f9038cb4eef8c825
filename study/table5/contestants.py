"""The contestants of table 5, by name."""

from types import ModuleType

from recommender.models import adam, als, fit, networks, parallel
from study.table5 import biases, factorizations, steps, surprise_svd
from study.table5.biases import CONSTANTS, DAMPINGS, damped_biases
from study.table5.factorizations import factorization
from study.table5.steps import Contestant


def create(model: str, solver: str, embedding_dim: int, seed: int) -> Contestant:
    """Return the contestant with this model and solver."""
    if model == "surprise svd":
        return surprise_svd.surprise_svd(embedding_dim, seed)
    if model in CONSTANTS:
        return Contestant(CONSTANTS[model], 1, 1)
    if model == "damped biases":
        return Contestant(damped_biases, len(DAMPINGS) ** 2, len(DAMPINGS) ** 2)
    return factorization(model, solver, embedding_dim, seed)


def code_of(model: str) -> list[ModuleType]:
    """Return the modules that affect a contestant's predictions; the cache key includes their code."""
    if model == "surprise svd":
        return [steps, surprise_svd]
    if model in CONSTANTS or model == "damped biases":
        return [steps, biases]
    return [steps, factorizations, adam, als, networks, parallel, fit]
