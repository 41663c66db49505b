"""The LEEP paper's experiments and the making of the benchmark: a client of headstart's public names."""
