"""The environment variables of the function."""

import pytest
from settings import Settings, SettingsError

GOOD = {"ENDPOINT_NAME": "fashion", "AWS_REGION": "eu-west-1"}


def test_the_default_timeouts_are_below_those_of_the_gateway() -> None:
    settings = Settings.from_environment(GOOD)
    assert settings.endpoint_name == "fashion"
    assert settings.region == "eu-west-1"
    assert settings.seconds_of_a_try < 28
    assert settings.cors_origin is None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ENDPOINT_NAME": ""}, "ENDPOINT_NAME: expected the name of a SageMaker endpoint; it is not set"),
        ({"AWS_REGION": ""}, "AWS_REGION: expected the endpoint's region"),
        ({"READ_TIMEOUT_SECONDS": "soon"}, "READ_TIMEOUT_SECONDS: expected seconds, 0.1 to 27, got 'soon'"),
        ({"READ_TIMEOUT_SECONDS": "nan"}, "READ_TIMEOUT_SECONDS: expected seconds"),
        ({"CONNECT_TIMEOUT_SECONDS": "-1"}, "CONNECT_TIMEOUT_SECONDS: expected seconds"),
        ({"READ_TIMEOUT_SECONDS": "26"}, "expected at most 27 s together, below the gateway's 29 s, got 28 s"),
    ],
)
def test_an_invalid_variable_is_an_error_at_the_start_of_the_function(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment(GOOD | variables)
