"""What can go wrong with a mailbox or a mail server. `permanent` ones are never retried as they are."""


class MailError(Exception):
    """The base; its message says what happened, to what, and what to do, and holds no password."""

    permanent = False


class MailboxUnavailable(MailError):
    """The server cannot be reached, broke off or refused for the moment; try again later."""

    def __init__(self, message: str, *, uids: tuple[int, ...] = (), retry_after: float | None = None) -> None:
        super().__init__(message)
        self.uids = uids  # the messages that were being fetched; with limit=1 the culprit is known
        self.uid_validity = 0  # under which these UIDs hold
        if retry_after is not None:
            self.retry_after = retry_after  # seconds


class MailboxAuthFailed(MailError):
    """The server refuses the sign-in. Its owner must act; trying again may lock the account."""

    permanent = True


class MailboxMisconfigured(MailError):
    """The settings cannot work: no encryption where it is needed, no sign-in offered. Its owner must act."""

    permanent = True


class MailboxFolderMissing(MailError):
    """The folder is gone or was renamed; discover the folders again."""

    permanent = True


class MailboxCursorInvalid(MailError):
    """The stored position means nothing to the server; drop it and resync."""

    permanent = True


class SenderRefused(MailError):
    """The server will not send mail for this mailbox. Its owner must act; no contact is at fault."""

    permanent = True


class RecipientRefused(MailError):
    """The address is refused for good: it counts as bounced. `status` is an RFC 3463 code or ""."""

    permanent = True

    def __init__(self, message: str, *, recipient: str, code: int, status: str) -> None:
        super().__init__(message)
        self.recipient = recipient
        self.code = code
        self.status = status


class MessageRefused(MailError):
    """The server refuses this one message for good, mostly as spam or too large; the address may be fine."""

    permanent = True


class SendOutcomeUnknown(MailError):
    """The connection broke after the text was handed over: the mail may be under way.

    Never send it again blindly; look for its Message-ID in the Sent folder.
    """

    permanent = True
