"""Text retrieval without a database: words of a text, their weights as sparse vectors, synonyms, and the fusion of rankings."""
