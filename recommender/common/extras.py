"""Which extra of the package brings what: the one message where a package is not installed."""

from recommender.errors import MissingPackageError

EXTRAS = {
    "serve": ("flask", "gunicorn", "gevent", "werkzeug"),
    "train": ("torch", "scipy", "pandas", "pyarrow", "sklearn", "threadpoolctl"),
    "report": ("matplotlib", "jinja2"),
    "aws": ("boto3", "botocore"),
    "prepare": ("duckdb", "msgspec", "urllib3", "tenacity"),
    "spark": ("pyspark",),
    "tune": ("optuna",),
}


def missing_package(error: ModuleNotFoundError) -> MissingPackageError | None:
    """Return what to install for an import that failed; None if it is no package of an extra."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return MissingPackageError(f"{package} is not installed: pip install 'recommender[{extra}]'")
    return None
