"""Contestants and choices of table 5 on synthetic data, compared with independent solvers."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from recommender.data.splits import split_leave_one_out
from recommender.models.options import FactorizationOptions
from recommender.models.patience import Patience
from study.cache import Cache
from study.data import Data, sample
from study.table5 import rows, table
from study.table5.biases import DAMPINGS
from study.table5.cells import TEST, VALIDATION, Chosen, run_cell
from study.table5.contestants import create
from study.table5.factorizations import PAPER
from study.table5.plan import SAMPLE, WHOLE, Cell, in_order
from study.table5.rows import BIASES, DEFAULT, differences_of, errors_of, means_of, rows_of
from study.table5.run import Table5, as_json, write
from study.table5.steps import Contestant, Step


@pytest.fixture(scope="module")
def data() -> Data:
    return sample()


def last(contestant: Contestant, data: Data, count: int) -> Step:
    return next(step for step in contestant.steps(data.train, data.test) if step.number == count)


def test_the_dense_loop_equals_torchs_adam_on_embedding_tables(data: Data) -> None:
    epochs = 2
    found = last(create("bias", "dense adam", 10, 3), data, epochs)
    train = data.train
    generator = torch.Generator().manual_seed(3)
    tables = [nn.Parameter(torch.empty(len(side), 10).normal_(std=0.01, generator=generator))
              for side in (train.users, train.items)]  # fmt: skip
    biases = [nn.Parameter(torch.zeros(len(side))) for side in (train.users, train.items)]
    mean = nn.Parameter(torch.tensor(float(train.ratings.mean(dtype=np.float64))))
    adam = torch.optim.Adam([*tables, *biases, mean], lr=PAPER["learning_rate"], weight_decay=PAPER["weight_decay"])

    def predict(user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        return (tables[0][user] * tables[1][item]).sum(dim=1) + biases[0][user] + biases[1][item] + mean

    user, item, rating = map(torch.tensor, (train.user_num, train.item_num, train.ratings))
    for epoch in range(1, epochs + 1):
        order = torch.from_numpy(np.random.default_rng([3, epoch]).permutation(len(train)))
        for some in torch.split(order, 128):
            adam.zero_grad()
            nn.functional.mse_loss(predict(user[some], item[some]), rating[some]).backward()  # type: ignore[no-untyped-call]
            adam.step()
    expected = predict(torch.tensor(data.test.user_num), torch.tensor(data.test.item_num)).detach().numpy()
    assert_allclose(found.predicted, expected, atol=1e-4)
    assert np.std(found.predicted) > 0.02


def test_the_learning_rate_of_the_dense_loop_is_halved_after_20_epochs(data: Data) -> None:
    steps = create("basic", "dense adam", 10, 0).steps(data.train, data.test)
    predicted = [next(steps).predicted for _ in range(22)]
    moves = [float(np.abs(one - other).mean()) for one, other in zip(predicted[1:], predicted, strict=False)]
    assert moves[20] < 0.75 * moves[18]


def test_damped_biases_are_means_with_extra_zeros(data: Data) -> None:
    step = next(iter(create("damped biases", "means", 0, 0).steps(data.train, data.test)))
    train, test = data.train, data.test
    user, item = int(test.user_num[0]), int(test.item_num[0])
    mean = float(np.mean(train.ratings, dtype=np.float64))

    def item_bias(number: int) -> float:
        own = train.ratings[train.item_num == number] - mean
        return float(own.sum() / (len(own) + DAMPINGS[0]))

    own = train.user_num == user
    rest = [rating - mean - item_bias(int(number)) for rating, number in
            zip(train.ratings[own], train.item_num[own], strict=True)]  # fmt: skip
    assert step.predicted[0] == pytest.approx(mean + item_bias(item) + sum(rest) / (len(rest) + DAMPINGS[0]))


@pytest.mark.parametrize(
    ("model", "solver"), [("basic", "dense adam"), ("sigmoid", "adam"), ("bias", "als"), ("bias", "adam")]
)
def test_plain_predictions_are_those_with_zero_embeddings(data: Data, model: str, solver: str) -> None:
    step = next(iter(create(model, solver, 8, 0).steps(data.train, data.test)))
    if model != "bias":
        assert set(step.plain.tolist()) == {0.0 if model == "basic" else 3.0}
    else:
        assert np.corrcoef(step.plain, step.predicted)[0, 1] > 0.9
        assert not np.array_equal(step.plain, step.predicted)


@pytest.mark.parametrize(
    ("errors", "patience", "best", "steps"),
    [
        ([3, 2, 1, 4, 5, 0], 2, 3, 5),
        ([3, 2, 1, 4, 0, 9], 3, 5, 6),
        ([1, 1, 1], 5, 1, 3),
        ([5], 1, 1, 1),
        ([float("nan"), 2, 3, 4, 1], 2, 2, 4),
    ],
)
def test_the_smallest_error_before_patience_ends_is_chosen(
    errors: list[float], patience: int, best: int, steps: int
) -> None:
    least = Patience(len(errors), patience)
    count = 0
    while not least.ended:
        least.take(errors[count])
        count += 1
    assert (least.best, count) == (best, steps)


def test_validation_and_test_choose_iterations_of_one_fit(data: Data) -> None:
    cell = Cell("bias", "als", 20, 1)
    chosen = run_cell(data, cell)
    steps = {step.number: step for step in take(create(*vars(cell).values()).steps(data.train, data.test), 8)}
    assert set(chosen) == {VALIDATION, TEST}
    for way in chosen.values():
        assert_allclose(way.predicted, steps[way.iterations].predicted)
    errors = {number: float(np.mean((step.predicted - data.test.ratings) ** 2)) for number, step in steps.items()}
    assert chosen[TEST].iterations == min(errors, key=lambda number: errors[number])


def take(steps: Iterator[Step], count: int) -> list[Step]:
    return [next(steps) for _ in range(count)]


def test_the_choice_on_validation_does_not_depend_on_test(data: Data) -> None:
    cell = Cell("bias", "als", 20, 0)
    other = Data(data.name, data.train, data.test.where(np.arange(len(data.test)) < 10), data.titles)
    assert run_cell(data, cell)[VALIDATION].iterations == run_cell(other, cell)[VALIDATION].iterations
    assert len(split_leave_one_out(data.train).test) > 100


def test_the_whole_plan_has_every_size_with_its_seeds() -> None:
    cells = in_order(WHOLE)
    assert len(set(cells)) == len(cells)

    def seeds(model: str, solver: str, size: int) -> int:
        return sum((cell.model, cell.solver, cell.embedding_dim) == (model, solver, size) for cell in cells)

    for size in table.PAPER_SIZES:
        assert seeds("bias", "als", size) == seeds("surprise svd", "sgd", size) == 5
        assert seeds("bias", "adam", size) == 2
        for model in ("basic", "sigmoid"):
            assert seeds(model, "adam", size) == (2 if size in {10, 20, 150} else 1)
    for model in ("basic", "sigmoid", "bias"):
        assert seeds(model, "dense adam", 10) == seeds(model, "dense adam", 20) == 2
    assert {(line.model, line.solver) for line in SAMPLE} <= {(line.model, line.solver) for line in WHOLE}


@pytest.fixture(scope="module")
def results(data: Data) -> dict[Cell, dict[str, Chosen]]:
    cells = [Cell("bias", "als", 150, seed) for seed in (0, 1)]
    cells += [Cell("damped biases", "means", 0, 0), Cell("always 3", "", 0, 0)]
    return {cell: run_cell(data, cell) for cell in cells}


def test_rows_have_the_error_of_the_predictions(data: Data, results: dict[Cell, dict[str, Chosen]]) -> None:
    found = rows_of(results, data.test.ratings)
    assert {(row["model"], row["embedding_dim"], row["seed"]) for row in found} == {
        (cell.model, cell.embedding_dim, cell.seed) for cell in results
    }
    for row in found:
        cell = next(cell for cell in results if asdict(cell).items() <= row.items())
        chosen = results[cell][str(row["chosen_on"])]
        assert row["test_rmse"] == pytest.approx(
            np.sqrt(np.mean((chosen.predicted - data.test.ratings) ** 2)), abs=1e-5
        )
        low, high = cast(list[float], row["interval"])
        assert low < cast(float, row["test_rmse"]) < high


def test_only_embeddings_with_little_effect_are_marked_as_collapsed(data: Data) -> None:
    rating = data.test.ratings
    fits = {"collapsed": 0.01, "effective": 0.5}
    chosen = {
        Cell(name, "als", 10, 0): {TEST: Chosen(1, np.full(len(rating), 3 + move), np.full(len(rating), 3.0), 0.0)}
        for name, move in fits.items()
    }
    assert {row["model"]: row["collapsed"] for row in rows_of(chosen, rating)} == {
        "collapsed": True,
        "effective": False,
    }


def test_a_difference_is_noise_if_its_interval_contains_zero(
    data: Data, results: dict[Cell, dict[str, Chosen]]
) -> None:
    found = differences_of(errors_of(results, data.test.ratings))
    assert {cast(dict[str, str], row["minus"])["model"] for row in found} == {"bias", "damped biases"}
    for row in found:
        low, high = cast(list[float], row["interval"])
        assert row["noise"] == (low <= 0 <= high)
    assert any(row["model"] == "always 3" and not row["noise"] for row in found)


def test_json_and_table_have_equal_values(tmp_path: Path, data: Data, results: dict[Cell, dict[str, Chosen]]) -> None:
    errors = errors_of(results, data.test.ratings)
    found = Table5("make x", "a machine", "data", rows_of(results, data.test.ratings), means_of(errors),
                   differences_of(errors))  # fmt: skip
    write(found, tmp_path, with_paper=False)
    kept = json.loads((tmp_path / "study.json").read_text())
    assert kept == json.loads(as_json(vars(found))) == json.loads(json.dumps(vars(found)))
    mean = next(row["test_rmse"] for row in kept["means"] if row["model"] == "bias" and row["chosen_on"] == VALIDATION)
    text = (tmp_path / "study.md").read_text()
    assert f"| Bias MF | least squares | validation | {mean:.4f} |" in text
    assert (tmp_path / "study.svg").read_text().count("<svg") == 1
    assert DEFAULT in errors
    assert BIASES in errors


def test_the_cache_returns_stored_results_but_no_broken_file(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), {"a": 1, "b": ["x"]}
    assert cache.get(key) is None
    cache.put(key, {"value": 1.5})
    assert cache.get(key) == {"value": 1.5}
    assert cache.get({**key, "a": 2}) is None
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text()[:-5])
    assert cache.get(key) is None


def test_the_studys_default_is_the_default_of_a_training_job() -> None:
    assert DEFAULT.embedding_dim == FactorizationOptions().embedding_dim
    assert (DEFAULT.model, DEFAULT.solver) == (FactorizationOptions().model, FactorizationOptions().solver)
    assert rows.COLLAPSED == 0.1
