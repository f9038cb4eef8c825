"""The attributes of items, such as price and store: typed columns, and the conditions that filters set on them."""
