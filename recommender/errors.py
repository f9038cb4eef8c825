"""All errors that a user of the project can cause; the message is shown unchanged."""


class RecommenderError(Exception):
    """Base of all errors with a message for the user; anything else is a bug in the project."""


class ConfigError(RecommenderError):
    """A hyper-parameter or an environment variable is unknown, of the wrong type or out of range."""


class DataError(RecommenderError):
    """A channel, file, column or value of the training data is missing or invalid."""


class FitError(RecommenderError):
    """The fit did not end in finite numbers."""


class ArtifactError(RecommenderError):
    """The model folder is missing a file, altered, truncated or written by a future version."""


class BusyFolderError(RecommenderError):
    """Another process uses the folder of this command."""


class RequestError(RecommenderError):
    """A request is invalid; `field` names the field, or is empty for the body as a whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class MissingPackageError(RecommenderError):
    """A package of an extra that a command needs is not installed."""


class EngineError(RecommenderError):
    """An engine failed: it has too little memory or disk, or is not installed."""
