"""The pure core: a run is its events; they are folded into a state, which decides what comes next."""
