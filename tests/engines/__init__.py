"""Engines: which process a docker or podman container is."""
