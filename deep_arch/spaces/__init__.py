"""Spaces: from values to graphs, and what a sub-space leaves open."""
