"""Use cases: what every face imports. One service over documents, runs and schedules."""
