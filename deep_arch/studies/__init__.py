"""Studies: the search loop, its record, and the contract of a searcher."""
