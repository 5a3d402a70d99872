"""The shapes: one function per silhouette, which makes a drawing from an appearance."""
