"""wiring: attach containers to bridges and detach them again, one or many at once by the same path."""
