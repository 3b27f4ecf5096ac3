"""Symbolic programs: calls that are recorded instead of made, with hyperparameters anywhere among their arguments."""
