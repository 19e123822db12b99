"""Where attempts run. One executor, one file (the local one has a process of its own for each duty)."""
