"""What a request may leave out, and the bounds of what it may ask for: one place of each default."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a request may leave out, and the bounds that keep one request from starving the others.

    Attributes:
        top_k: recommendations in an answer.
        num_candidates: candidates that are ranked.
        exclude_seen: leave out the items of the shopper's history.
        max_top_k: largest top_k of a request.
        max_num_candidates: largest num_candidates of a request.
        max_history: most events in a request's history.
        max_instances: most records in one request, but for a batch transform's.
        max_candidates_in_all: most candidates of all instances of one request together: some seconds of work, where
            SageMaker gives 60.
    """

    top_k: int = 5
    num_candidates: int = 100
    exclude_seen: bool = True
    max_top_k: int = 1_000
    max_num_candidates: int = 10_000
    max_history: int = 1_000
    max_instances: int = 1_000
    max_candidates_in_all: int = 500_000


LIMITS = Limits()
