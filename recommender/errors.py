"""Every error a user of the project can cause. The message is the whole report: it is shown as it is."""


class RecommenderError(Exception):
    """Base of all errors with a message for the user; anything else is a bug in the project."""


class ConfigError(RecommenderError):
    """A hyper-parameter or an environment variable is unknown, of the wrong type or out of range."""


class DataError(RecommenderError):
    """A channel, file, column or value of the training data is missing or not what was expected."""


class FitError(RecommenderError):
    """The fit did not end in finite numbers."""


class ArtifactError(RecommenderError):
    """The model folder is missing a file, altered, truncated or written by a future version."""


class RequestError(RecommenderError):
    """A request is not what was expected; `field` says where, or is empty for the body as a whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class MissingPackageError(RecommenderError):
    """A package of an extra that a command needs is not installed."""


class EngineError(RecommenderError):
    """The engine that prepares raw reviews could not go on: memory, disk, or it is not installed."""
