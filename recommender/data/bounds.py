"""The bounds of the files that are read, in one place; each is checked before the memory or time is spent.

They are far above what real files have: they refuse a small file that stands for an endless one.
"""

MAX_LINE_BYTES = 16 * 2**20  # a line, and a row of CSV
MAX_FILE_BYTES = 64 * 2**30  # decompressed; the largest file of Amazon Reviews 2023 has 31 GB
MAX_ROWS = 2**27  # in a file; lines in a text file; Netflix's ratings are 100 million
MAX_COLUMNS = 10_000  # in a file
MAX_KEPT_BYTES = 8 * 2**30  # what memory keeps of a file: the wanted columns, with each ID once
MAX_ROW_BYTES = 2**20  # of a Parquet row on average, with all its columns, beyond a first MAX_LINE_BYTES
