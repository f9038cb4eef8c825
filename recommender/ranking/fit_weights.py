"""The weights of the learned ranking: softmax likelihood of the targets among their candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
PRIOR = 2.0  # strength of the weights before the fit, in targets
MAX_ITERATIONS = 200


@dataclass(frozen=True)
class Example:
    """A target among its candidates.

    Attributes:
        columns: (number of columns, n) float32.
        target: the position of the target; None if it is not among the candidates.
        in_session: whether the request is made within a session.
    """

    columns: NDArray[np.float32]
    target: int | None
    in_session: bool = False


def fit_weights(examples: Sequence[Example], prior: Doubles) -> Doubles:
    """Return the weights, at least 0, (number of columns,) float64.

    They minimize the sum over the targets of -log softmax(weights . columns)[target], plus half of `PRIOR` times the
    squared distance to the prior weights. O(iterations x candidates x columns).
    """
    from scipy.optimize import minimize

    found = [example for example in examples if example.target is not None]
    if not found:
        return prior
    table = np.concatenate([example.columns for example in found], axis=1).T.astype(np.float32, order="C")
    lengths = np.array([example.columns.shape[1] for example in found])
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    target_rows = begins + np.array([example.target for example in found])
    of_targets = table[target_rows].sum(axis=0, dtype=np.float64)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        score = (table @ weights.astype(np.float32)).astype(np.float64)
        score -= np.repeat(np.maximum.reduceat(score, begins), lengths)
        share = np.exp(score)
        total = np.add.reduceat(share, begins)
        share /= np.repeat(total, lengths)
        distance = weights - prior
        value = np.log(total).sum() - score[target_rows].sum() + PRIOR / 2 * (distance @ distance)
        return float(value), share.astype(np.float32) @ table - of_targets + PRIOR * distance

    bounds = [(0.0, None)] * len(prior)
    fitted = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": MAX_ITERATIONS})
    return np.maximum(fitted.x, 0.0).astype(np.float64)
