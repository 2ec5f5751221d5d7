"""The kernel's constants, once, by the kernel's names: one file for each header of include/uapi."""
