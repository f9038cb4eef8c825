"""RecTools' SASRec, a transformer; its environment has an older numpy and pandas than the project's."""
