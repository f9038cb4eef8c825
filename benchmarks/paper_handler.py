"""The paper's request handler, rebuilt from its description (sections 3.2.2 and 3.2.3), as a peer to measure.

As in the paper,

- a Python loop over all items multiplies a row by a column for each (a rating is an array of one number),
- the rows of seen items are a list, and a heap finds the best 100,
- masks select from all ratings and all items, and TF-IDF vectors are computed from titles for each request.

It differs from the paper in three things, all in favour of the handler:

- It runs under gunicorn, not on Flask's development server.
- Each rating weights its own title.
- It reads the same model folder as serve.py, so that the responses can be compared.

Run under gunicorn: `benchmarks.paper_handler:app()`.
"""

import heapq
from typing import Any

import numpy as np
import pandas as pd
from flask import Flask, jsonify, request
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from recommender.artifacts import model_folder
from recommender.candidates.factorization import Factorization
from recommender.sagemaker.environment import Container


class PaperHandler:
    """The two stages of the paper: candidates by predicted rating, ranked by titles."""

    def __init__(self) -> None:
        model = model_folder.load(Container.from_environment().model_dir)
        source = model.sources[Factorization.name]
        assert isinstance(source, Factorization)
        self.factors = source.factors
        self.user_index = {model.users.id(number): number for number in range(len(model.users))}
        self.item_ids = [model.items.id(number) for number in range(len(model.items))]
        self.item_index = {item_id: number for number, item_id in enumerate(self.item_ids)}
        self.item_bias = np.array(self.factors.item_bias)
        self.user_vector = np.array(self.factors.user_embedding)
        self.item_vector = self.factors.item_embedding(np.arange(len(self.item_ids))).astype(np.float32)
        titles = [model.titles.text(number) for number in range(len(self.item_ids))]
        self.products = pd.DataFrame({"item_id": self.item_ids, "title": titles})
        self.vectorizer = TfidfVectorizer().fit([title for title in titles if title])
        user_num = np.repeat(np.arange(len(model.users)), np.diff(model.histories.offsets))
        self.train = pd.DataFrame(
            {
                "user_id": np.array(list(self.user_index))[user_num],
                "item_id": np.array(self.item_ids)[model.histories.item_num],
                "rating": np.array(model.histories.rating),
            }
        )

    def recommend(self, user_id: str) -> list[str]:
        """Return five item IDs for a user of the training data."""
        history = self.train[self.train["user_id"] == user_id]
        candidates = self.candidates(user_id, set(history["item_id"]))
        seen = self.vectorizer.transform(self.titles_of(history["item_id"].tolist())).toarray()
        profile = np.average(seen, axis=0, weights=history["rating"])
        profile /= np.linalg.norm(profile)
        similarity = cosine_similarity(profile.reshape(1, -1), self.vectorizer.transform(self.titles_of(candidates)))[0]
        ranked = sorted(zip(similarity, candidates, strict=True), key=lambda pair: -pair[0])
        return [item_id for _, item_id in ranked[:5]]

    def candidates(self, user_id: str, seen: set[str]) -> list[str]:
        """Return the 100 unseen items with the highest predicted ratings."""
        user_num = self.user_index[user_id]
        user_row, user_bias = self.user_vector[user_num].reshape(1, -1), self.factors.user_bias[user_num]
        seen_rows = [self.item_index[item_id] for item_id in seen]
        rated = []
        for item_num in range(len(self.item_ids)):
            if item_num in seen_rows:
                continue
            product = np.dot(user_row, self.item_vector[item_num].reshape(1, -1).T)
            rating = self.factors.global_mean + user_bias + self.item_bias[item_num] + product
            rated.append((rating, self.item_ids[item_num]))
        return [item_id for _, item_id in heapq.nlargest(100, rated, key=lambda pair: pair[0])]

    def titles_of(self, item_ids: list[str]) -> list[str]:
        """Return the titles of these items; a mask finds them among all."""
        found = self.products[self.products["item_id"].isin(item_ids)]
        titles = dict(zip(found["item_id"], found["title"], strict=True))
        return [titles[item_id] for item_id in item_ids]


def app() -> Flask:
    """Return the WSGI application."""
    handler, flask = PaperHandler(), Flask(__name__)

    @flask.get("/ping")
    def ping() -> str:
        return "\n"

    @flask.post("/invocations")
    def invocations() -> Any:  # noqa: ANN401 - Flask's response
        return jsonify(recommended_items=handler.recommend(request.get_json()["user_id"]))

    return flask
