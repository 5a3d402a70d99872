"""Which columns of a file hold which fields."""
