"""JSON: objects, lines, and answers of shop systems' APIs."""
