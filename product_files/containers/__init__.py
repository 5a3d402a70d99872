"""What files come in: archives, compressed files, web archives, encodings of texts."""
