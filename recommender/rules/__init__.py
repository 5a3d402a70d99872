"""Merchandising rules: what a shop pins, hides, moves and never shows together, as conditions of a query and as steps after it."""
