"""The defaults and limits of a request."""

from dataclasses import dataclass

from recommender.data.vocabulary import MAX_ID_CHARACTERS


@dataclass(frozen=True)
class Limits:
    """The defaults of a request, and the limits that keep one request from starving the others.

    Attributes:
        top_k: recommendations in a response.
        num_candidates: candidates that are ranked.
        exclude_seen: leave out the items of the user's history.
        max_top_k: maximum top_k of a request.
        max_num_candidates: maximum num_candidates of a request.
        max_id_length: maximum length of a user_id or item_id, in characters.
        max_history: maximum number of events in a request's history.
        interest_events: items that stand for the interests in the user's history.
        max_interests: maximum number of interests of a request.
        max_interest_length: maximum length of an interest, in characters.
        max_onboarding: maximum number of items of a questionnaire.
        max_instances: maximum number of records in a request, except for batch transforms.
        max_candidates_in_all: maximum number of candidates of all records together: some seconds of work, of the 60
            that SageMaker allows.
        max_items_in_all: maximum number of recommended items of all records together: a response has some hundred
            bytes for each, and SageMaker takes 6 MB.
        max_history_in_all: maximum number of history events of all records together.
    """

    top_k: int = 5
    num_candidates: int = 100
    exclude_seen: bool = True
    max_top_k: int = 1_000
    max_num_candidates: int = 10_000
    max_id_length: int = MAX_ID_CHARACTERS
    max_history: int = 1_000
    interest_events: int = 5
    max_interests: int = 20
    max_interest_length: int = 200
    max_onboarding: int = 100
    max_instances: int = 1_000
    max_candidates_in_all: int = 500_000
    max_items_in_all: int = 20_000
    max_history_in_all: int = 50_000


LIMITS = Limits()
