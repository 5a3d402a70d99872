"""The same product at another seller, in another feed or group: candidates, features of a pair, a calibrated probability.

Without a database: `embeddings.matches` asks it of the catalogue, `match_files` of two files; `match_fitting` fits it to
decisions.
"""
