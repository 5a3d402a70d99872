"""How good retrieval is: metrics and the protocols they are measured by."""
