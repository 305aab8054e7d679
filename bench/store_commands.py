"""Counts the commands that this process' driver sends to the store."""

from __future__ import annotations

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent


class StoreCommands(CommandListener):
    """To be registered before the first client is made, which takes the listeners that are there by then."""

    sent = 0

    def started(self, _event: CommandStartedEvent) -> None:
        self.sent += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Counted when it started."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Counted when it started."""
