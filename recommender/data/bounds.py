"""Limits on the files to read; each limit is checked before the memory or time is spent.

Real files are far below them. The limits refuse a small file that decompresses without end.
"""

MAX_LINE_BYTES = 16 * 2**20  # of a line, or of a row of CSV
MAX_FILE_BYTES = 64 * 2**30  # decompressed; the largest file of Amazon Reviews 2023 has 31 GB
MAX_ROWS = 2**27  # in a file (a text file: lines); Netflix has 100 million ratings
MAX_COLUMNS = 10_000  # in a file
MAX_KEPT_BYTES = 8 * 2**30  # of a file in memory: the columns that are read, with each ID once
MAX_ROW_BYTES = 2**20  # average of a Parquet row with all columns, on top of MAX_LINE_BYTES
MAX_ATTRIBUTE_CHARACTERS = 200  # of a text of an item attribute
MAX_ATTRIBUTE_TEXTS = 100  # in a list of texts of an item
MAX_ATTRIBUTES = 50  # of the items
MAX_ATTRIBUTE_BYTES = 2**30  # of the values of one attribute
MAX_DISTINCT_TEXTS = 1_000_000  # of one attribute
MAX_NAME_CHARACTERS = 100  # of an attribute
