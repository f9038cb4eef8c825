"""One line of JSON for each invocation: the log, and the metrics that CloudWatch takes out of it.

Source: CloudWatch User Guide, "Specification: Embedded metric format". Who has asked is not in it.
"""

import json
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from answers import Answer
from events import Caller

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
    """What is known of an invocation, which grows while it runs.

    Attributes:
        endpoint_name: whom it asks.
        request_id: of Lambda; the endpoint's log has it as inference_id.
        caller: who has sent the event.
        gateway_id: of API Gateway's log.
        is_cold: whether it is the first of this process.
        facts: more fields.
        began: of `time.perf_counter`.
    """

    endpoint_name: str
    request_id: str
    caller: Caller
    gateway_id: str | None
    is_cold: bool
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def fail(self, error: BaseException, cause: str) -> None:
        """Keep why there is no answer; of a bug also where."""
        self.facts["cause"] = cause or str(error)
        if not cause and error.__traceback__ is not None:
            self.facts["traceback"] = "".join(traceback.format_exception(error))

    def write(self, answer: Answer) -> None:
        """Print it: Lambda takes what is printed to CloudWatch."""
        print(json.dumps(self.record(answer)), flush=True)

    def record(self, answer: Answer) -> dict[str, Any]:
        """The line as an object, metrics included."""
        status = answer.status
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
