"""Measures: what is known of a graph without any framework."""
