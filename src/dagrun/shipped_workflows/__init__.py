"""The shipped workflows: an inbox sweep, a weekly report and a meeting brief, all on local text files."""
