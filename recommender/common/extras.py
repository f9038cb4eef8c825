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
    """Return the command that installs an extra."""
    return f"run pip install '.[{extra}]' in the project's folder"


def missing_package(error: ModuleNotFoundError) -> MissingPackageError | None:
    """Return an error that says how to install the package of a failed import; None if no extra has it."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return MissingPackageError(f"{package} is not installed: {install(extra)}")
    return None
