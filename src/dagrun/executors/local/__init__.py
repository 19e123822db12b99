"""The local executor: attempts as processes of this machine."""
