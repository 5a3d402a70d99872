"""The shop systems whose API answers are read, each in a module of its own."""
