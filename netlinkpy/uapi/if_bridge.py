"""linux/if_bridge.h: the states of a bridge's ports."""

BR_STATE_DISABLED, BR_STATE_LISTENING, BR_STATE_LEARNING, BR_STATE_FORWARDING, BR_STATE_BLOCKING = range(5)
PORT_STATES = ("disabled", "listening", "learning", "forwarding", "blocking")  # by BR_STATE_, as ip says them

BR_MAX_PORTS = 1023  # port numbers have ten bits, and 0 is none (net/bridge/br_private.h)
