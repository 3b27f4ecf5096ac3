"""Parts: what searchers are made of, and share."""
