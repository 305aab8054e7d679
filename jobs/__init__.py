"""One file per job, named like it, plus the cron table (schedule.py)."""
