"""Row-wise Adam compared with torch's Adam, and the three equations compared with numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.boards import checkerboard, random_interactions

from recommender.models import adam, networks
from recommender.models.fit import choose_iterations, fit
from recommender.models.networks import BasicMF
from recommender.models.options import FactorizationOptions

MODELS = ["basic", "sigmoid", "bias"]


def random_model(name: str, num_users: int, num_items: int, dim: int) -> BasicMF:
    """Return a model with random parameters."""
    config = FactorizationOptions.from_hyperparameters({"model": name, "solver": "adam", "embedding_dim": dim}, "test")
    model = networks.create(config, num_users, num_items, 3.5)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_a_model_and_its_factors_predict_by_the_papers_equation(name: str) -> None:
    model = random_model(name, 7, 9, 4)
    user, item = np.divmod(np.arange(63), 9)
    tables = {key: values.double().numpy() for key, values in model.state_dict().items()}
    product = (tables["user_embedding"][user] * tables["item_embedding"][item]).sum(axis=1)
    expected = {
        "basic": product,
        "sigmoid": 1 / (1 + np.exp(-product)) * 4 + 1,
        "bias": product + tables["user_bias"][user] + tables["item_bias"][item] + tables["global_bias"],
    }[name]
    with torch.no_grad():
        assert np.allclose(model(torch.from_numpy(user), torch.from_numpy(item)).numpy(), expected, atol=1e-5)
    assert np.allclose(networks.factors_of(model).predict(user, item), expected, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_if_every_row_is_in_every_batch_the_result_is_that_of_torchs_adam(name: str) -> None:
    """Compare steps without missing rows: the two only differ in rows that are not in a batch."""
    user, item = map(torch.from_numpy, np.divmod(np.arange(20), 5))
    rating = torch.randint(1, 6, (20,), generator=torch.Generator().manual_seed(1)).float()
    ours, theirs = random_model(name, 4, 5, 3), random_model(name, 4, 5, 3)
    tables = {key: adam.AdamTable.of(values.data.view(-1) if not values.dim() else values.data)
              for key, values in ours.named_parameters()}  # fmt: skip
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(50):
        adam.train_batch(ours, tables, user, item, rating, 0.01, 0.1)
        optimizer.zero_grad()
        torch.autograd.backward(torch.nn.functional.mse_loss(theirs(user, item), rating))
        optimizer.step()
    for key, values in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[key], values, atol=1e-4), key


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(MODELS))
def test_a_row_that_is_not_in_the_batch_does_not_change(seed: int, name: str) -> None:
    random = np.random.default_rng(seed)
    model = random_model(name, 12, 15, 3)
    before = {key: values.clone() for key, values in model.named_parameters()}
    tables = {key: adam.AdamTable.of(values.data.view(-1) if not values.dim() else values.data)
              for key, values in model.named_parameters()}  # fmt: skip
    user, item = (torch.from_numpy(random.integers(0, size, 4)) for size in (12, 15))
    adam.train_batch(model, tables, user, item, torch.ones(4), 0.01, 0.1)
    for key, values in model.named_parameters():
        if key.startswith("global"):
            continue
        touched = set((user if key.startswith("user") else item).tolist())
        moved = {row for row in range(len(values)) if not torch.equal(values[row], before[key][row])}
        assert moved == touched


@pytest.mark.parametrize("name", MODELS)
def test_a_checkerboard_is_learned(name: str) -> None:
    data, user, item, rating = checkerboard(24, hidden_share=0.15)
    values = {"model": name, "solver": "adam", "embedding_dim": 4, "learning_rate": 0.03, "batch_size": 32}
    config = FactorizationOptions.from_hyperparameters(values, "test")
    choice = choose_iterations(data, config)
    predicted = fit(data, config, choice.num_iterations).predict(user, item)
    assert np.mean((predicted > 3) == (rating == 5)) > 0.98


def test_the_learning_rate_is_halved_every_20_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    monkeypatch.setattr(adam, "train_batch", lambda *arguments: rates.append(arguments[5]))
    iterations = adam.epochs(random_interactions(5, 5, 10), FactorizationOptions(solver="adam", learning_rate=0.8))
    for _ in range(41):
        next(iterations)
    assert rates == [0.8] * 20 + [0.4] * 20 + [0.2]


def test_each_epoch_uses_every_rating_once_in_a_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[tuple[int, int]]] = [[], []]
    epoch = 0

    def record(_model: object, _tables: object, user: torch.Tensor, item: torch.Tensor, *_: object) -> None:
        seen[epoch].extend(zip(user.tolist(), item.tolist(), strict=True))

    monkeypatch.setattr(adam, "train_batch", record)
    data = random_interactions(20, 20, 100)
    iterations = adam.epochs(data, FactorizationOptions(solver="adam", batch_size=7))
    for epoch in range(2):  # noqa: B007 - read by `record`
        next(iterations)
    everything = sorted(zip(data.user_num.tolist(), data.item_num.tolist(), strict=True))
    assert sorted(seen[0]) == sorted(seen[1]) == everything
    assert seen[0] != seen[1]
