"""The rules of automations: what may be saved, which fields exist, what an action consists of."""
