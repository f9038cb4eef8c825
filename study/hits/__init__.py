"""Hit rates of whole pipelines: contestants -> choice on validation -> one measurement on test -> tables and a plot."""
