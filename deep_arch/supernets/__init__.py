"""Super-networks: a space with every alternative kept, whose architectures share weights."""
