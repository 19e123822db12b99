"""Text to Dag: one dialect, one file, with private wire models that nobody else sees."""
