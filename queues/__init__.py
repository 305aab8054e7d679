"""The engine: named queues on Redis, workers, schedules and dead letters. Knows nothing of the CRM."""
