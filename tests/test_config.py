import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.config import RESERVED_PREFIXES
from recommender.errors import ConfigError
from recommender.hyperparameters import TrainConfig
from recommender.models.options import SEARCH_SPACE, FactorizationOptions


def test_strings_from_sagemaker_are_converted() -> None:
    config = TrainConfig.from_hyperparameters({"embedding_dim": "20", "regularization": "0.5", "seed": "3"}, "hp")
    options = config.of(FactorizationOptions)
    assert (options.embedding_dim, options.regularization, options.seed) == (20, 0.5, 3)


def test_values_that_are_not_strings_are_accepted() -> None:
    assert (
        TrainConfig.from_hyperparameters({"regularization": 4, "max_sweeps": 2}, "hp")
        .of(FactorizationOptions)
        .regularization
        == 4.0
    )


@pytest.mark.parametrize("prefix", RESERVED_PREFIXES)
def test_reserved_keys_are_ignored(prefix: str) -> None:
    assert TrainConfig.from_hyperparameters({prefix + "_x": "anything"}, "hp") == TrainConfig()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"embeding_dim": "20"}, ["'embeding_dim'", "unknown name", "embedding_dim"]),
        ({"embedding_dim": "many"}, ["'embedding_dim'", "valid integer", "'many'"]),
        ({"embedding_dim": "2.5"}, ["'embedding_dim'", "valid integer", "2.5"]),
        ({"embedding_dim": "0"}, ["'embedding_dim'", "greater than or equal to 1", "0"]),
        ({"embedding_dim": "true"}, ["'embedding_dim'", "true"]),
        ({"regularization": "nan"}, ["'regularization'", "'nan'"]),
        ({"regularization": "NaN"}, ["'regularization'", "NaN"]),
        ({"regularization": "1e400"}, ["'regularization'", "'1e400'"]),
        ({"regularization": "-1"}, ["'regularization'", "-1"]),
        ({"regularization": ""}, ["'regularization'", "''"]),
        ({"seed": "[" * 100_000}, ["'seed'", "[["]),
        ({"seed": "9" * 5_000}, ["'seed'"]),
        ({"rerank_weight": "1.5"}, ["'rerank_weight'", "less than or equal to 1", "1.5"]),
        ({"model": "svd"}, ["'model'", "'basic', 'sigmoid' or 'bias'", "'svd'"]),
        ({"solver": "sgd"}, ["'solver'", "'als' or 'adam'", "'sgd'"]),
        ({"model": "sigmoid"}, ["sigmoid", "no closed form", "solver to adam"]),
        ({"learning_rate": "0"}, ["'learning_rate'", "greater than 0"]),
        ({"rating_min": "5"}, ["rating_min must be below rating_max", "5"]),
    ],
)
def test_an_error_names_the_file_the_hyper_parameter_and_the_expected_values(
    values: dict[str, str], expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        TrainConfig.from_hyperparameters(values, "hyperparameters.json")
    message = str(error.value)
    assert message.startswith("hyperparameters.json: ")
    assert [words for words in expected if words not in message] == []
    assert len(message) < 500


@given(st.dictionaries(st.sampled_from(sorted(TrainConfig.model_fields)), st.text(max_size=20)))
def test_any_strings_give_a_configuration_or_a_config_error(values: dict[str, str]) -> None:
    config = None
    try:
        config = TrainConfig.from_hyperparameters(values, "hp")
    except ConfigError as problem:
        message = str(problem)
    if config is None:
        assert message.startswith("hp: ")
    else:
        again = {name: json.dumps(value) for name, value in config.model_dump().items()}
        assert TrainConfig.from_hyperparameters(again, "hp") == config


def test_words_may_come_with_or_without_quotes() -> None:
    assert (
        TrainConfig.from_hyperparameters({"solver": '"adam"', "model": "basic"}, "hp").of(FactorizationOptions).solver
        == "adam"
    )


def test_hyper_parameters_that_are_set_without_effect_are_listed() -> None:
    values = {"solver": "adam", "max_sweeps": "3", "item_bias_regularization": "1", "batch_size": "7", "seed": "1"}
    config = TrainConfig.from_hyperparameters(values, "hp")
    assert config.without_effect == ["item_bias_regularization", "max_sweeps"]


@pytest.mark.parametrize(
    ("solver", "name"),
    [
        (solver, name)
        for solver in SEARCH_SPACE
        for name in TrainConfig.from_hyperparameters({"solver": solver}, "test").search_space
    ],
)
def test_the_bounds_of_a_search_range_are_valid_and_the_default_lies_between_them(solver: str, name: str) -> None:
    values = TrainConfig.from_hyperparameters({"solver": solver}, "test").search_space[name]
    default = TrainConfig.model_fields[name].default
    assert values.low < default < values.high
    assert values.whole == isinstance(values.high, int) == (TrainConfig.model_fields[name].annotation is int)
    assert values.low > 0 or not values.logarithmic
    for bound in (values.low, values.high):
        assert getattr(TrainConfig.from_hyperparameters({"solver": solver, name: str(bound)}, "test"), name) == bound


@pytest.mark.parametrize(
    ("given", "searched"),
    [
        ({}, {"embedding_dim", "regularization", "user_bias_regularization", "item_bias_regularization"}),
        ({"model": "basic"}, {"embedding_dim", "regularization"}),
        ({"regularization": 2}, {"embedding_dim", "user_bias_regularization", "item_bias_regularization"}),
        ({"solver": "adam"}, {"embedding_dim", "learning_rate", "weight_decay", "batch_size"}),
        ({"solver": "adam", "model": "sigmoid"}, {"embedding_dim", "learning_rate", "weight_decay", "batch_size"}),
    ],
)
def test_a_search_tries_hyper_parameters_that_have_an_effect_and_are_not_set(
    given: dict[str, object], searched: set[str]
) -> None:
    given = {"pipeline": "paper", **given}
    space = TrainConfig.from_hyperparameters(given, "test").search_space
    assert space.keys() == searched
    tried = {**given, **{name: values.low for name, values in space.items()}}
    assert TrainConfig.from_hyperparameters(tried, "test").without_effect == []
