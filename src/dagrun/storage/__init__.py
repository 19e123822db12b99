"""Where the facts of runs lie: in files, or in memory for tests."""
