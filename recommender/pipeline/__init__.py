"""Query -> candidates -> ranking -> recommendations."""
