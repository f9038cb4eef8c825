"""Read and check the channels of a job, and split their events."""
