"""Attempts as processes of this machine, through the keeper and its workers."""
