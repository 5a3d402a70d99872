"""Colour and pattern of a photo, and how they are joined with the encoder's vector.

Without a database: `embeddings.part_weights` finds what they count by default.
"""
