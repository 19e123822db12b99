"""What the shipped workflows share: input and output files, text, dates, and values of upstream tasks."""
