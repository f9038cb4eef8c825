"""A finished training -> its report, one self-contained HTML page."""

import logging

# If the home folder is not writable, matplotlib uses a temporary one and says so in the job's log.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
