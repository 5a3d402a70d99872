"""Models for tests that need one beside the bundled encoder."""

from __future__ import annotations

from embeddings.backends import BUNDLED

# Inside the weights of the last layer, which are one byte each.
_FIRST, _LAST = 4_000_001, 4_040_001


def another_model() -> bytes:
    """The bundled model with the signs of some of its weights turned: another model, with other answers."""
    content = bytearray(BUNDLED.read_bytes())
    for position in range(_FIRST, _LAST, 2):
        content[position] ^= 0x80
    return bytes(content)
