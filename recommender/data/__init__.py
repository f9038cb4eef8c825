"""Reading and checking the channels of a job, and splitting their events."""
