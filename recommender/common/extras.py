"""The extras of the package, and the message for a package that is not installed."""

from recommender.errors import MissingPackageError

EXTRAS = {
    "serve": ("flask", "gunicorn", "gevent", "werkzeug"),
    "train": ("torch", "scipy", "pandas", "pyarrow", "sklearn", "numba", "threadpoolctl"),
    "report": ("matplotlib", "jinja2"),
    "aws": ("boto3", "botocore"),
    "prepare": ("duckdb", "msgspec", "urllib3", "tenacity"),
    "spark": ("pyspark",),
    "tune": ("optuna",),
}


def install(extra: str) -> str:
    """Return what a user runs to install an extra."""
    return f"run pip install '.[{extra}]' in the project's folder"


def missing_package(error: ModuleNotFoundError) -> MissingPackageError | None:
    """Return the error with what to install for a failed import; None if no extra has the package."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return MissingPackageError(f"{package} is not installed: {install(extra)}")
    return None
