"""A photo as a file: checked, decoded, its colours, metadata and hash. It knows no product."""
