"""Metrics that others have published for the same data and protocol; the study does not compute them."""

from typing import Any

Row = dict[str, Any]
PAPER = "the paper's text"
# "eSASRec: Enhancing Transformer-based Recommendations in a Modular Fashion" (RecSys 2025), the first table in its
# repository blondered/transformer_benchmark. Metrics that it cites from the papers of the models:
REPORTED = "its paper, cited by eSASRec (RecSys 2025)"
# Metrics that its authors computed:
CALCULATED = "eSASRec (RecSys 2025)"
BEAUTY = (
    ("SASRec", 0.0605, 0.0318, REPORTED),
    ("TIGER", 0.0648, 0.0384, REPORTED),
    ("HSTU", 0.0704, 0.0389, REPORTED),
    ("ActionPiece", 0.0775, 0.0424, REPORTED),
    ("DuoRec", 0.0845, 0.0443, REPORTED),
    ("SASRec, sampled softmax", 0.0921, 0.0531, CALCULATED),
    ("eSASRec", 0.0928, 0.0523, CALCULATED),
)


def rows_of(data: str) -> list[Row]:
    """Return the published rows of a data set, by its name."""
    if data == "Amazon Fashion":
        return [_row("the paper's pipeline", PAPER, {"hit_rate@5": 1 / 1426})]
    if data.startswith("Amazon Beauty 2014"):
        return [_row(name, source, {"hit_rate@10": rate, "ndcg@10": ndcg}) for name, rate, ndcg, source in BEAUTY]
    return []


def _row(name: str, source: str, metrics: Row) -> Row:
    return {"contestant": name, "stage": "published", "source": source, **metrics}
