"""`python -m bench` (or `careline bench`): Careline beside its peers and beside the limit, in one run on the same servers."""
