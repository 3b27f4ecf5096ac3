"""Contracts: test classes that an author of a searcher or a backend subclasses."""
