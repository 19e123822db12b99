"""What concerns this process: its signals, its memory, its environment, its command line, its event loop."""
