"""How far to iterate: until the error has not improved for a while; the best iteration is the one to keep."""


class Patience:
    """The iterations so far, and when to stop.

    Attributes:
        best: the iteration, from 1, of the least error; 0 if no error was a number yet.
        errors: after each iteration; a NaN, after an overflow, is never the least.
    """

    def __init__(self, most: int, patience: int) -> None:
        self._most, self._patience = most, patience
        self.best = 0
        self.errors: list[float] = []

    def take(self, error: float) -> bool:
        """Take the error after the next iteration; returns whether it is the least so far."""
        self.errors.append(error)
        is_least = error < (self.errors[self.best - 1] if self.best else float("inf"))
        if is_least:
            self.best = len(self.errors)
        return is_least

    @property
    def ended(self) -> bool:
        """Whether as many iterations as the patience allows brought nothing better, or no more are allowed."""
        return len(self.errors) - self.best >= self._patience or len(self.errors) >= self._most
