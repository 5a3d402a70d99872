"""The shapes: one function a silhouette, from a look to a drawing."""
