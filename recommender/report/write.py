"""The page of a training -> report.html beside its metrics."""

from recommender import storage
from recommender.progress import say
from recommender.report.finished import Finished
from recommender.report.gather import gather
from recommender.report.page import page


def write(finished: Finished, every_size: bool) -> None:
    """Write the page; it appears under its name when it is complete.

    Args:
        finished: the training.
        every_size: see `gather`.

    Raises:
        OSError: it can't be written.
    """
    text = page(gather(finished, every_size))
    storage.write_text(finished.container.report_file, text)
    say(f"the report is in {finished.container.report_file}")
