"""Colour and pattern of a photo, and how they are joined with the encoder's vector."""
