"""A finished training -> one page that needs nothing else, for a browser."""

import logging

# Where the home folder can't be written matplotlib takes a temporary one, and says so in a job's log.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
