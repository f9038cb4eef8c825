"""Hit rates of whole pipelines: contestants -> chosen by validation -> one look at test -> tables and a plot."""
