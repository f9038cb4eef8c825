"""The environment variables in the code -> docs/reference/variables.md."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from docs.tables import table
from recommender.sagemaker import environment as training
from recommender.sagemaker import server_environment as server

HEADER = ["variable", "default", "meaning"]


def of_the_server() -> str:
    """Return the variables of the server."""
    most = server.PAYLOAD_LIMIT_IN_MB
    return _table(
        server,
        {
            server.BIND_TO_PORT: (server.DEFAULT_PORT, "port"),
            server.HOST: (server.DEFAULT_HOST, "IPv4 address to listen on; the image sets 0.0.0.0"),
            server.MODEL_SERVER_WORKERS: (
                "one per core",
                "worker processes; they share one copy of the model",
            ),
            server.MODEL_SERVER_TIMEOUT: (
                server.DEFAULT_TIMEOUT,
                "seconds after which a worker that does not respond is replaced",
            ),
            server.CONTAINER_LOG_LEVEL: ("INFO", "log level: 10, 20, 30 ... or DEBUG, INFO, WARNING ..."),
            server.DEFAULT_INVOCATIONS_ACCEPT: (
                "that of the request",
                "media type of the response if the request has no Accept",
            ),
            server.MAX_PAYLOAD_IN_MB: (server.DEFAULT_PAYLOAD_IN_MB, f"maximum size of a body in MiB, 0 to {most}"),
            server.BATCH: ("", "`true` in a batch transform: a request may have any number of records"),
            server.USER: ("", "number of the user that the workers become if the server is root; the image sets 65534"),
            server.DENY_LIST: (
                "`deny.txt` in the model folder",
                "file with the IDs of items that no response recommends, one a line; read again when it changes",
            ),
            server.MODEL_SHA256: ("", "SHA-256 of the `config.json` of the only model to serve"),
        },
    )


def of_training() -> str:
    """Return the variables of a training job."""
    return _table(
        training,
        {
            training.BASE_DIR: (
                training.DEFAULT_BASE_DIR,
                "root of SageMaker's tree; also for the server",
            ),
            training.SM_MODEL_DIR: ("`model`", "folder of the model"),
            training.SM_OUTPUT_DATA_DIR: ("`output/data`", "folder of metrics and report"),
            training.SM_CHANNEL: ("`input/data/<name>`", "followed by the channel's name in capitals: its folder"),
            training.SM_HYPERPARAMETERS: ("", "hyper-parameters as a JSON object"),
            training.SM_HYPERPARAMETER: ("", "followed by a hyper-parameter's name in capitals: its value"),
            training.SM_HOSTS: ("", "hosts of the job as a JSON list, if there is no `resourceconfig.json`"),
            training.SM_CURRENT_HOST: ("", "this host"),
            training.SM_NETWORK_INTERFACE_NAME: ("gloo chooses", "network interface between the hosts"),
            training.SM_MASTER_PORT: (training.DEFAULT_MASTER_PORT, "port of the first host"),
        },
    )


def of_the_function() -> str:
    """Return the variables of the Lambda function."""
    function = _settings_of_the_function()
    most = f"{function.MAX_SECONDS:g}"
    return table(
        HEADER,
        [
            [f"`{function.ENDPOINT_NAME}`", "required", "the SageMaker endpoint to call"],
            [f"`{function.REGION}`", "required", "region of the endpoint; Lambda sets it"],
            [f"`{function.CONNECT_TIMEOUT}`", f"{function.DEFAULT_CONNECT_TIMEOUT:g}", "seconds to connect"],
            [
                f"`{function.READ_TIMEOUT}`",
                f"{function.DEFAULT_READ_TIMEOUT:g}",
                f"seconds to wait for the response; both together at most {most}",
            ],
            [
                f"`{function.CORS_ORIGIN}`",
                "",
                "web origin that may read responses (REST API); the stack's own API has the parameter `CorsOrigin`",
            ],
        ],
    )


def names_in(module: ModuleType) -> Iterator[str]:
    """Yield the names of environment variables that a module has as constants."""
    for value in vars(module).values():
        if isinstance(value, str) and value.startswith(("SAGEMAKER_", "SM_", "SERVER_", "RECOMMENDER_")):
            yield value


def _table(module: ModuleType, rows: dict[str, tuple[object, str]]) -> str:
    """Return a table of variables.

    Raises:
        ValueError: the rows are not exactly those of the module.
    """
    if set(rows) != set(names_in(module)):
        raise ValueError(f"expected the variables of {module.__name__}: {set(rows) ^ set(names_in(module))}")
    return table(HEADER, [[f"`{name}`", str(default), meaning] for name, (default, meaning) in rows.items()])


def _settings_of_the_function() -> ModuleType:
    """Import lambda/settings.py; its folder is no package."""
    path = Path(__file__).parents[1] / "lambda" / "settings.py"
    spec = importlib.util.spec_from_file_location("settings", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
