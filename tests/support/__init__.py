"""What the tests share: namespaces and containers to test in, and the state of one to compare."""
