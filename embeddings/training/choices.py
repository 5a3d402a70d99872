"""What a training may be asked for by name. Apart from the losses themselves, so that the API can name them without TensorFlow."""

from __future__ import annotations

LOSSES = ("normalised-softmax", "softmax", "arcface", "contrastive", "triplet")
DISTANCES = ("l1", "l2", "cosine")
MINING = ("batch-all", "batch-hard", "semi-hard")
