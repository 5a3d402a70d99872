"""Valid files with random damage, as by a broken disk, a bad connection or an attacker."""

from __future__ import annotations

from hypothesis import strategies as st

# Sizes and counts that parsers often handle wrongly.
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER_BYTES = 96


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """One of the originals with up to five changes, many of them near its beginning."""
    content = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 5))):
        position = _position(draw, content)
        match draw(st.sampled_from(["flip", "number", "cut", "insert", "delete", "repeat", "splice"])):
            case "flip" if position < len(content):
                content[position] ^= 1 << draw(st.integers(0, 7))
            case "number":
                size = draw(st.sampled_from([1, 2, 4]))
                number = draw(st.sampled_from(_NUMBERS)) % 256**size
                content[position : position + size] = number.to_bytes(size, draw(st.sampled_from(["big", "little"])))
            case "cut":
                del content[position:]
            case "insert":
                content[position:position] = draw(st.binary(min_size=1, max_size=16))
            case "delete":
                del content[position : position + draw(st.integers(1, 64))]
            case "repeat":
                piece = content[position : position + draw(st.integers(1, 32))]
                content[position:position] = piece * draw(st.integers(1, 8))
            case "splice":
                other = draw(originals)
                start = draw(st.integers(0, len(other)))
                content[position:] = other[start:]
    return bytes(content)


def _position(draw: st.DrawFn, content: bytearray) -> int:
    anywhere = st.integers(0, len(content))
    return draw(st.one_of(st.integers(0, min(_HEADER_BYTES, len(content))), anywhere))
