"""Several things that failed in one job, told together."""

from __future__ import annotations


class Failures(ExceptionGroup[Exception]):
    """Parts of a job failed, the others are done. Permanent when a retry could help none of them."""

    @property
    def permanent(self) -> bool:
        return all(getattr(error, "permanent", False) for error in self.exceptions)
