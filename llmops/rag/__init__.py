"""From a corpus to hits: loading, chunking, indexing, fusing and retrieving."""
