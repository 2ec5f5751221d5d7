"""The native backends: the same tests on each of them."""
