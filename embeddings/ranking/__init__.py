"""Rankers: what puts the best of the text search in a better order, learned from judgements. Knows no database."""
