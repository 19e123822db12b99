"""The command line: one file per group of commands, each command a few lines over the service."""
