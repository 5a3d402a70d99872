"""Ways in for a catalogue: each source yields rows, one loop saves them."""
