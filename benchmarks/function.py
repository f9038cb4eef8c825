"""The Lambda function under AWS's Runtime Interface Emulator: the first answer of a new process, and those after it.

Beside handlers of a few lines, as samples show them, in front of the same server.
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
QUESTION = {"user_id": "somebody"}
NOTHING = "def lambda_handler(event, context):\n    return {}\n"
ASK = """runtime.invoke_endpoint(
        EndpointName="fashion", ContentType="application/json", Body=json.dumps(event))["Body"].read()"""
CLIENT_ONCE = f"""import boto3, json
runtime = boto3.client("sagemaker-runtime")
def lambda_handler(event, context):
    return json.loads({ASK})
"""
CLIENT_EACH = f"""import boto3, json
def lambda_handler(event, context):
    runtime = boto3.client("sagemaker-runtime")
    return json.loads({ASK})
"""


def main() -> None:
    """Start each of them often, and ask it often."""
    with TemporaryDirectory() as tmp:
        folder = Path(tmp)
        train(folder)
        handlers = {
            OURS: ROOT / "lambda",
            "a handler that asks, its client made once": written(folder / "once", CLIENT_ONCE),
            "the same, its client made in each call": written(folder / "each", CLIENT_EACH),
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
    header = ["", "first answer of a process", "range", "of ours", "an answer after it, p50", "p99"]
    report(
        "function",
        table(header, rows),
        f"{COLD_STARTS} starts, {WARM} answers; the server's own answer, the emulator and the hop in front of the "
        "server are in all of them. On AWS a cold start has more before it (the zip is fetched, a machine is made).",
    )


def written(folder: Path, handler: str) -> Path:
    """A folder with this handler."""
    folder.mkdir()
    (folder / "handler.py").write_text(handler)
    return folder


def measure(handlers: Mapping[str, Path], variables: Mapping[str, str], log: Path) -> dict[str, tuple[Times, Times]]:
    """Milliseconds of each handler: the first answers of new processes, and later ones of the first process."""
    cold: dict[str, list[float]] = {name: [] for name in handlers}
    warm: dict[str, list[float]] = {name: [] for name in handlers}
    for start in range(COLD_STARTS):
        say(f"start {start + 1} of {COLD_STARTS} ...")
        for name, code in handlers.items():  # in turn, so that whatever else the machine does meets all of them
            with running_function(code, variables, log) as function:
                cold[name].append(milliseconds(function))
                if start == 0:
                    warm[name] += [milliseconds(function) for _ in range(WARM)]
    return {name: (np.array(cold[name]), np.array(warm[name])) for name in handlers}


def milliseconds(function: Function) -> float:
    """Of one answer."""
    began = perf_counter()
    answer = function.invoke(QUESTION)
    if "errorType" in answer:
        raise SystemExit(f"the function has failed: {answer}")
    return (perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
