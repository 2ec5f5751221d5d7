"""The tests of netlinkpy, on the real kernel, each in a network namespace of its own."""
