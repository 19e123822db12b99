"""Drives one run."""
