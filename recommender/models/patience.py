"""Early stopping: iterate until the error stops improving, and keep the best iteration."""


class Patience:
    """The errors of the iterations so far, and the decision to stop.

    Attributes:
        best: the iteration, from 1, of the least error; 0 if no error is a number.
        errors: the error after each iteration; NaNs (after an overflow) are ignored.
    """

    def __init__(self, most: int, patience: int) -> None:
        self._most, self._patience = most, patience
        self.best = 0
        self.errors: list[float] = []

    def take(self, error: float) -> bool:
        """Record the error after the next iteration; return whether it is the least so far."""
        self.errors.append(error)
        is_least = error < (self.errors[self.best - 1] if self.best else float("inf"))
        if is_least:
            self.best = len(self.errors)
        return is_least

    @property
    def ended(self) -> bool:
        """Whether the patience or the maximum number of iterations is reached."""
        return len(self.errors) - self.best >= self._patience or len(self.errors) >= self._most
