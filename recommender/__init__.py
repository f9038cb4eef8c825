"""A two-stage product recommender: matrix factorization proposes, product titles decide."""
