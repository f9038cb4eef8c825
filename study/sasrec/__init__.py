"""RecTools' SASRec, a transformer, in an environment with older numpy and pandas than the project's."""
