"""Grammars: the rules of a space as productions with holes, whose terms are its programs."""
