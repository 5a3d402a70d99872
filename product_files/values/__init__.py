"""Reads values as shops write them: prices, currencies, stock, lists, texts."""
