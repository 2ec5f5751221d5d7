"""wiring: containers attached to bridges and detached again: one, or many at once by the same path."""
