"""bench: the main job on real input: wire N containers, prove it with packets, tear down; all in namespaces
of its own."""
