"""Messages as bytes: packing, parsing, conversations, extended acks."""
