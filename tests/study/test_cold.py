"""Draws of cold items."""

import numpy as np
from support.tastes import TASTES

from recommender.components.fit_context import FitContext
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.training.fit_model import fit_model
from study.cold import cold, served
from study.protocols import COLD


def test_a_tenth_of_the_items_is_cold_and_test_has_only_these() -> None:
    found = cold(TASTES, 0)
    drawn = np.setdiff1d(TASTES.train.item_num, found.train.item_num)
    assert len(drawn) == int(len(TASTES.train.items) * COLD)
    assert set(found.test.item_num.tolist()) <= set(drawn.tolist())
    assert set(found.test.user_num.tolist()) <= set(found.train.user_num.tolist())
    of_drawn = np.isin(TASTES.test.item_num, drawn) & np.isin(TASTES.test.user_num, found.train.user_num)
    assert len(found.test) == of_drawn.sum()
    assert cold(TASTES, 1).train.item_num.tolist() != found.train.item_num.tolist()


def test_the_served_response_finds_cold_items_only_with_explore() -> None:
    drawn = cold(TASTES, 0)
    model = fit_model(TrainConfig(), FitContext(drawn.train, titles=drawn.titles))
    is_cold = model.num_events == 0
    plain, explored = (served(Recommender(model), drawn.users, rules)[:, :10] for rules in ({}, {"explore": 0.5}))
    assert is_cold[explored].mean() > is_cold[plain].mean()
