"""What a person wrote, without the history below it.

Line by line and linear in time. mail-parser-reply was tried and left out: its patterns backtrack, and five
kilobytes of "Den Den skrev" from a stranger held a worker for more than a minute.
"""

import re

LIMIT = 100_000  # characters; nobody types more
WRAPPED = 3  # lines over which mail programs wrap "On ... wrote:"

ATTRIBUTION = re.compile(
    r"(?:on|am|le|el|il|op|den|em|dnia|w dniu|på|dne|\d{4}).{3,300}"
    r"(?:wrote|schrieb.{0,120}|geschrieben|a écrit|escribió|ha scritto|schreef.{0,120}|skrev.{0,120}"
    r"|escreveu|napisał(?:\(a\))?.{0,120}|napsal\(a\)|kirjoitti)\s?[::]",
    re.IGNORECASE,
)
SEPARATOR = re.compile(
    r"[-_*]{2,}\s?(?:original message|ursprüngliche nachricht|weitergeleitete nachricht|forwarded message"
    r"|message d'origine|message original|message transféré|mensaje original|mensaje reenviado"
    r"|messaggio originale|messaggio inoltrato|oorspronkelijk bericht|doorgestuurd bericht"
    r"|ursprungligt meddelande|oprindelig meddelelse|mensagem original|wiadomość oryginalna)\s?[-_*]{0,}:?"
    r"|_{20,}|begin forwarded message:",
    re.IGNORECASE,
)
FROM = re.compile(r"\*?(?:from|von|de|da|van|från|fra|od|lähettäjä)\s?:\*?\s", re.IGNORECASE)
HEADERS = re.compile(
    r"\*?(?:sent|to|subject|date|gesendet|an|betreff|datum|envoyé|à|objet|enviado|para|asunto|inviato|a|oggetto"
    r"|verzonden|aan|onderwerp|skickat|till|ämne|sendt|til|emne|wysłano|do|temat|lähetetty|vastaanottaja|aihe"
    r"|data|fecha)\s?:\*?",
    re.IGNORECASE,
)
DEVICE = re.compile(
    r"(?:sent from (?:my|mail|outlook|yahoo)|get outlook for|von meinem .{1,40} gesendet|gesendet von"
    r"|envoyé (?:de|depuis)|enviado desde|inviato da|verzonden (?:van|vanaf)|skickat från|sendt fra).{0,80}",
    re.IGNORECASE,
)


def visible(text: str) -> str:
    """The new part of a message's text; the whole text when nothing new stands above or between the quotes.

    Answers written between quoted lines are kept. A signature after `-- ` (RFC 3676) is cut.
    """
    lines = [line.strip() for line in text[:LIMIT].split("\n")]
    kept: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        if line == "--" or SEPARATOR.fullmatch(line) or _is_header_block(lines, position):
            break
        if span := _attribution(lines, position):
            if not _is_quote_next(lines, position + span):
                break  # the history follows without marks, as from Outlook or out of HTML
            position += span
            continue
        if not line.startswith(">"):
            kept.append(line)
        position += 1
    return _trim(kept) or text[:LIMIT].strip()


def _attribution(lines: list[str], position: int) -> int:
    """How many lines an "On ... wrote:" takes here; 0 when there is none."""
    for span in range(1, WRAPPED + 1):
        if ATTRIBUTION.fullmatch(" ".join(lines[position : position + span])[:500]):
            return span
    return 0


def _is_quote_next(lines: list[str], position: int) -> bool:
    following = next((line for line in lines[position : position + 3] if line), "")
    return following.startswith(">")


def _is_header_block(lines: list[str], position: int) -> bool:
    """A "From:" with at least two more header lines right below it, as Outlook puts above the history."""
    if not FROM.match(lines[position] + " "):
        return False
    return sum(bool(HEADERS.match(line)) for line in lines[position + 1 : position + 7]) >= 2


def _trim(lines: list[str]) -> str:
    while lines and (not lines[-1] or DEVICE.fullmatch(lines[-1])):
        lines.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
