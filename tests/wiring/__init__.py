"""attach and detach on the real kernel."""
