"""Event payloads, versioned: what may travel on a queue. Importing this package registers every event."""

from schemas import contact, email, form, page, visitor

__all__ = ["contact", "email", "form", "page", "visitor"]
