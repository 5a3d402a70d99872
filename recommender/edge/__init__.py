"""Exports a collection into a folder that answers "what looks like this photo?" without a server and without Django."""
