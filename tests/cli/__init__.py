"""The command line: grammar, output, ip and brctl on the real kernel; tests/oracle has what iproute2
prints."""
