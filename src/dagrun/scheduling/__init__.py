"""When runs start without anybody asking.

cron, zones, timetable   when an expression comes true (pure)
model, due               schedules as values; what is to be recorded for one at a moment (pure)
files                    a directory of schedules, read again when it changes
claims, fires            who owns a schedule's fires, and which of them are in hand
loop                     asks and sleeps
"""
