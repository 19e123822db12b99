"""The workflow `weekly_report_pack`: `weekly_report` is the function, `activity` reads, `figures` counts."""
