"""From text to a checked DAG."""
