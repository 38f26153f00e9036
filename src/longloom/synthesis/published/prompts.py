"""Take a published prompt apart into its document and its question.

QwenLong-L1 writes the document between `<text>` tags, the question after them and the form of the
answer last; Longloom's own `plain` template does nearly the same. The document may hold such tags
itself, the question may not: the last closing tag ends the document.
"""

_OPEN, _CLOSE, _BROKEN = "<text>", "</text>", "< /text>"
_FORMAT = "Format your response as follows:"
_LABEL = "Question:"

QUESTION_IN_TEXT = "Answer the question that is asked in the text above."
"""The question of a prompt that could not be taken apart: its context is the whole prompt."""


def split_prompt(prompt: str) -> tuple[str, str]:
    """Return the document and the question; the whole prompt and `QUESTION_IN_TEXT` if unknown."""
    opening = prompt.find(_OPEN)
    closing = prompt.rfind(_CLOSE)
    if opening < 0 or closing < opening + len(_OPEN):
        return prompt, QUESTION_IN_TEXT
    # Only the line breaks of the template are removed: spans in documents keep their places.
    document = prompt[opening + len(_OPEN) : closing].removeprefix("\n").removesuffix("\n")
    asked = prompt[closing + len(_CLOSE) :]
    form = asked.rfind(_FORMAT)
    question = (asked if form < 0 else asked[:form]).strip().removeprefix(_LABEL).strip()
    if not document.strip() or not question:
        return prompt, QUESTION_IN_TEXT
    # Our own prompts break such tags up (`text/prompts.py`); the document gets them back.
    return document.replace(_BROKEN, _CLOSE), question.replace(_BROKEN, _CLOSE)
