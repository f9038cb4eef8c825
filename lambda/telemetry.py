"""The log: one JSON line per invocation, from which CloudWatch extracts metrics.

Source: CloudWatch User Guide, "Specification: Embedded metric format". The line does not have the user ID.
"""

import json
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from events import Caller
from response import Response

NAMESPACE = "Recommender"
DIMENSION = "EndpointName"
UNITS = {
    "Requests": "Count",
    "ClientErrors": "Count",
    "Throttles": "Count",
    "ServerErrors": "Count",
    "Latency": "Milliseconds",
}


@dataclass
class Line:
    """The log line of an invocation; fields are added while it runs.

    Attributes:
        endpoint_name: the SageMaker endpoint.
        request_id: Lambda's request ID; the endpoint's log has it as inference_id.
        caller: the sender of the event.
        gateway_id: the request ID in API Gateway's log.
        is_cold: whether it is the first invocation of this process.
        facts: more fields.
        began: start, by `time.perf_counter`.
    """

    endpoint_name: str
    request_id: str
    caller: Caller
    gateway_id: str | None
    is_cold: bool
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def fail(self, error: BaseException, cause: str) -> None:
        """Record why the request failed and, for bugs, the traceback."""
        self.facts["cause"] = cause or str(error)
        if not cause and error.__traceback__ is not None:
            self.facts["traceback"] = "".join(traceback.format_exception(error))

    def write(self, response: Response) -> None:
        """Print the line: Lambda sends the output to CloudWatch."""
        print(json.dumps(self.record(response)), flush=True)

    def record(self, response: Response) -> dict[str, Any]:
        """Return the line as an object, with metrics."""
        status = response.status
        return {
            "_aws": {
                "Timestamp": time.time_ns() // 1_000_000,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [[DIMENSION]],
                        "Metrics": [{"Name": name, "Unit": unit} for name, unit in UNITS.items()],
                    }
                ],
            },
            DIMENSION: self.endpoint_name,
            "Requests": 1,
            "ClientErrors": int(400 <= status < 500 and status != 429),
            "Throttles": int(status == 429),
            "ServerErrors": int(status >= 500),
            "Latency": round((time.perf_counter() - self.began) * 1000, 2),
            "level": "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR",
            "request_id": self.request_id,
            "caller": self.caller,
            "gateway_id": self.gateway_id,
            "status": status,
            "is_cold": self.is_cold,
            **self.facts,
        }
