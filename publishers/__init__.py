"""Events enter the system here: validated, recorded in the ledger, put on the queue."""
