"""Use cases, for every front end: documents, runs and schedules of a project."""
