"""Starts runs by time. From a cron expression to a started run:

cron, timezones, timetable       when an expression matches (pure)
schedule, due                    schedules as values; which fires are due at a moment (pure)
schedule_files, known_schedules  a directory of schedule files, read again when it changes
claims, enqueuer                 claims each fire once among all schedulers, and turns it into a queued run
open_runs, scheduler_lock        which runs have not ended, and which schedulers are alive
run_queue, run_control           starts queued runs and follows them; `run_processes` does so with processes
record_buffer                    lines for the state store, kept while it cannot be written
scheduler                        the loop
schedule_queries                 what people ask about schedules
"""
