"""The Lambda function under AWS's Runtime Interface Emulator: times of the first and of later responses of a process.

It is compared with handlers of a few lines, as in AWS's samples, that call the same server.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import ROOT, report, table
from benchmarks.serve import train
from infra.local.endpoint import running_endpoint
from infra.local.function import Function, running_function
from recommender.common.output import say
from recommender.sagemaker.server_environment import CONTAINER_LOG_LEVEL
from recommender.service.process import running_server

COLD_STARTS, WARM = 15, 400
Times = NDArray[np.float64]
ENDPOINT = "fashion"
OURS = "lambda/ of this project"
REQUEST = {"user_id": "unknown"}
NOTHING = "def lambda_handler(event, context):\n    return {}\n"
CALL = """runtime.invoke_endpoint(
        EndpointName="fashion", ContentType="application/json", Body=json.dumps(event))["Body"].read()"""
CLIENT_ONCE = f"""import boto3, json
runtime = boto3.client("sagemaker-runtime")
def lambda_handler(event, context):
    return json.loads({CALL})
"""
CLIENT_EACH = f"""import boto3, json
def lambda_handler(event, context):
    runtime = boto3.client("sagemaker-runtime")
    return json.loads({CALL})
"""


def main() -> None:
    """Measure cold starts and later responses of all handlers, and report."""
    with TemporaryDirectory() as tmp:
        folder = Path(tmp)
        train(folder)
        handlers = {
            OURS: ROOT / "lambda",
            "a handler that calls the endpoint, one client per process": written(folder / "once", CLIENT_ONCE),
            "the same, a new client for each call": written(folder / "each", CLIENT_EACH),
            "a handler that does nothing": written(folder / "nothing", NOTHING),
        }
        with (
            running_server(folder, {CONTAINER_LOG_LEVEL: "WARNING"}) as server,
            running_endpoint(ENDPOINT, server.port) as url,
        ):
            variables = {"ENDPOINT_NAME": ENDPOINT, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url}
            measured = measure(handlers, variables, folder / "log")
    ours = np.median(measured[OURS][0])
    rows = [
        [name, f"{np.median(cold):.0f} ms", f"{cold.min():.0f} to {cold.max():.0f}", f"{np.median(cold) / ours:.2f}",
         f"{np.median(warm):.1f} ms", f"{np.percentile(warm, 99):.1f} ms"]
        for name, (cold, warm) in measured.items()
    ]  # fmt: skip
    header = ["", "first response of a process", "range", "relative to ours", "later responses, p50", "p99"]
    report(
        "function",
        table(header, rows),
        f"{COLD_STARTS} starts, {WARM} later responses. Every time includes the server, the emulator and the proxy in "
        "front of the server. On AWS a cold start takes longer: the zip is fetched and a machine is made first.",
    )


def written(folder: Path, handler: str) -> Path:
    """Write a handler into a new folder; return the folder."""
    folder.mkdir()
    (folder / "handler.py").write_text(handler)
    return folder


def measure(handlers: Mapping[str, Path], variables: Mapping[str, str], log: Path) -> dict[str, tuple[Times, Times]]:
    """Return the milliseconds of each handler: first responses of new processes, later ones of the first process."""
    cold: dict[str, list[float]] = {name: [] for name in handlers}
    warm: dict[str, list[float]] = {name: [] for name in handlers}
    for start in range(COLD_STARTS):
        say(f"start {start + 1} of {COLD_STARTS} ...")
        for name, code in handlers.items():  # in turns, so that other load on the machine affects all of them
            with running_function(code, variables, log) as function:
                cold[name].append(milliseconds(function))
                if start == 0:
                    warm[name] += [milliseconds(function) for _ in range(WARM)]
    return {name: (np.array(cold[name]), np.array(warm[name])) for name in handlers}


def milliseconds(function: Function) -> float:
    """Invoke the function; return the milliseconds to its response."""
    began = perf_counter()
    response = function.invoke(REQUEST)
    if "errorType" in response:
        raise SystemExit(f"the function failed: {response}")
    return (perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
