"""Counting: how many architectures there are, exactly, and the one with a number."""
