"""How far an IMAP folder has been read (RFC 3501, section 2.3.1.1)."""

from dataclasses import dataclass

from services.mail.errors import MailboxCursorInvalid

LARGEST = 2**32 - 1  # UIDs and UIDVALIDITY are unsigned 32-bit numbers


@dataclass(frozen=True, slots=True)
class FolderCursor:
    """`uid_validity` tells whether the UIDs still mean the same messages; `mod_seq` may be missing."""

    uid_validity: int
    last_uid: int
    mod_seq: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.uid_validity <= LARGEST and 0 <= self.last_uid <= LARGEST):
            raise MailboxCursorInvalid(
                f"{self} is no position in an IMAP folder; drop it and resync the folder"
            )


@dataclass(frozen=True, slots=True)
class FolderState:
    """What a server tells when a folder is opened."""

    uid_validity: int
    uid_next: int | None
    mod_seq: int | None

    def continues(self, cursor: FolderCursor) -> bool:
        """Whether the cursor's UIDs still hold.

        A UIDNEXT at or below a UID that we have seen gives away a folder restored from a backup under its old
        UIDVALIDITY, which the RFC forbids and servers do.
        """
        is_plausible = self.uid_next is None or self.uid_next > cursor.last_uid
        return self.uid_validity == cursor.uid_validity and is_plausible
