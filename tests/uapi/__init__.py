"""The constants of the kernel, held against its headers."""
