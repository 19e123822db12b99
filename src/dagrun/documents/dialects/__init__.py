"""From a document to a Dag: one file per dialect, with models that only this file uses."""
