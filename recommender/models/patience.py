"""Early stopping: iterate until the error stops improving, then use the best iteration."""


class Patience:
    """The errors so far and the decision to stop.

    Attributes:
        best: the iteration with the lowest error, from 1; 0 if no error is a number.
        errors: the error after each iteration; NaNs (after an overflow) are ignored.
    """

    def __init__(self, max_iterations: int, patience: int) -> None:
        self._max_iterations, self._patience = max_iterations, patience
        self.best = 0
        self.errors: list[float] = []

    def take(self, error: float) -> bool:
        """Record the error after the next iteration. Return whether it is the lowest so far."""
        self.errors.append(error)
        is_lowest = error < (self.errors[self.best - 1] if self.best else float("inf"))
        if is_lowest:
            self.best = len(self.errors)
        return is_lowest

    @property
    def ended(self) -> bool:
        """Return whether the patience or the maximum number of iterations is reached."""
        return len(self.errors) - self.best >= self._patience or len(self.errors) >= self._max_iterations
