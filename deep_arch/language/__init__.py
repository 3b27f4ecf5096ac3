"""The language: what a user writes, and what records it."""
