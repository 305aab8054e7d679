"""Subjects: the prefixes that mail programs put before them, in the languages that ours meet."""

import re

REPLY_PREFIXES = "re aw antw antwort sv vs odp r rif res resp ynt vá ref atb ответ 回复 回覆 答复 回信 답장"
FORWARD_PREFIXES = "fwd fw wg weitergeleitet tr i rv enc doorst vb vl pd ilt i̇lt пересл 转发 轉寄 전달"
REPLY, FORWARD = frozenset(REPLY_PREFIXES.split()), frozenset(FORWARD_PREFIXES.split())
# "VS:" is a reply in Finnish and a forward in Norwegian; replies are far more common.

PREFIX = re.compile(r"\s*([^\W\d_]{1,14})\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s?[:：]")
TAG = re.compile(r"\s*\[\s*(?:ext|extern|external|externe|externo|external email|spam)\s*\]", re.IGNORECASE)

AUTO_REPLY = re.compile(
    r"\s*(?:"
    r"auto(?:matic|mated)?[ -]?(?:reply|response|answer)|autoreply|(?:i am )?out of (?:the )?office"
    r"|on vacation|away from (?:the |my )?(?:office|desk|mail)"
    r"|automatische (?:antwort|rückmeldung)|abwesenheits(?:notiz|meldung|nachricht|assistent)|abwesend\b"
    r"|ich bin (?:abwesend|nicht im (?:haus|büro))|nicht im (?:büro|haus)\b"
    r"|réponse automatique|message (?:automatique )?d['’]absence|absence du bureau|absent du bureau"
    r"|respuesta automática|fuera de (?:la )?oficina"
    r"|risposta automatica|fuori sede|fuori ufficio"
    r"|automatisch antwoord|automatische beantwoording|afwezigheids?(?:bericht|assistent)"
    r"|automatiskt svar|automatisk svar|autosvar|fraværsmelding|frånvarande"
    r"|resposta automática|ausência (?:temporária|do escritório)"
    r"|odpowiedź automatyczna|automatyczna odpowiedź|poza biurem"
    r"|automaattinen vastaus|automatická odpověď|otomatik yanıt|автоответ|自動応答|自动答复|自動回覆"
    r")",
    re.IGNORECASE,
)


def split(subject: str) -> tuple[tuple[str, ...], str]:
    """The known prefixes from the outside in, in lower case, and the subject without them.

    >>> split("AW: Fwd: [EXTERN] Re: Offer 7")
    (('aw', 'fwd', 're'), 'Offer 7')
    """
    prefixes: list[str] = []
    position = 0
    while True:
        if tag := TAG.match(subject, position):
            position = tag.end()
        found = PREFIX.match(subject, position)
        if found is None or found[1].lower() not in REPLY | FORWARD:
            return tuple(prefixes), subject[position:].strip()
        prefixes.append(found[1].lower())
        position = found.end()


def key(subject: str) -> str:
    """What two subjects of one conversation have in common; empty when there is nothing to compare."""
    return " ".join(split(subject)[1].casefold().split())


def is_reply(subject: str) -> bool:
    """Whether the outermost prefix says so."""
    prefixes, _ = split(subject)
    return bool(prefixes) and prefixes[0] in REPLY


def is_forward(subject: str) -> bool:
    """Whether the outermost prefix says so."""
    prefixes, _ = split(subject)
    return bool(prefixes) and prefixes[0] in FORWARD


def is_auto_reply(subject: str) -> bool:
    """Whether an autoresponder wrote it; "Re: Automatic reply: ..." was written by a person."""
    return AUTO_REPLY.match(subject) is not None
