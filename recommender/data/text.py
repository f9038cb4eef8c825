"""Foreign words in a message: one line, not long."""

MAX_REASON_CHARACTERS = 200


def printable(name: str) -> str:
    """A name as a message may show it: without line breaks, control characters or broken Unicode."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def reason(error: BaseException) -> str:
    """What an error says, in one line that is not long."""
    return printable(" ".join(str(error).split())[:MAX_REASON_CHARACTERS]) or type(error).__name__
