"""Network namespaces: named, bound, entered, listed, pruned."""
