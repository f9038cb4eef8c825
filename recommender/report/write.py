"""The report of a training -> report.html next to its metrics."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.common.files import write_text
from recommender.common.output import say
from recommender.report.build import build
from recommender.training.training_run import TrainingRun

MATPLOTLIB_FOLDER = "MPLCONFIGDIR"


def write(finished: TrainingRun, every_size: bool) -> None:
    """Write the report; it appears under its name when it is complete.

    Args:
        finished: the training.
        every_size: see `build`.

    Raises:
        OSError: the file can't be written.
    """
    path, report = finished.container.report_file, build(finished, every_size)
    with folder_for_matplotlib(path.parent):
        from recommender.report.page import page  # matplotlib chooses its folder at its import

        text = page(report)
    write_text(path, text)
    say(f"the report is in {path}")


@contextmanager
def folder_for_matplotlib(folder: Path) -> Iterator[None]:
    """Give matplotlib a cache in `folder` if no temporary folder is writable, for example with a read-only root.

    matplotlib caches its list of fonts in the home folder, or else in a temporary one.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        with tempfile.TemporaryDirectory(prefix=".matplotlib-", dir=folder) as own:
            os.environ[MATPLOTLIB_FOLDER] = own
            yield
    else:
        yield
