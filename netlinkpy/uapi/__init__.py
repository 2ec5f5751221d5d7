"""The kernel's constants, once, by the kernel's names: one file a header of include/uapi."""
