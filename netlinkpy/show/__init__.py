"""show: a picture of the host: its networks, their ports, the containers behind them. model.read() looks at
the kernel; tree, svg and dot draw what it saw."""
