"""Stores of runs and their events: in files, or in memory for tests."""
