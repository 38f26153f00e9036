"""Whether a phrase stands in a text as itself, not as a part of a longer word or number."""


def contains_whole(text: str, phrase: str) -> bool:
    """Return whether `phrase` occurs in `text` with nothing grown onto its ends.

    A letter or digit at an end of the phrase must not continue in the text: "123" is not in "1234",
    "1,123" or "123.5", but in "(123)." and "123, 456". An empty phrase occurs nowhere. The search
    goes over the text once.
    """
    start = text.find(phrase) if phrase else -1
    while start >= 0:
        end = start + len(phrase)
        if not _grows(text, start, start - 1) and not _grows(text, end - 1, end):
            return True
        start = text.find(phrase, start + 1)
    return False


def is_word_character(character: str) -> bool:
    """Return whether a character is one of a word, as regular expressions have it."""
    return character.isalnum() or character == "_"


def _grows(text: str, edge: int, beyond: int) -> bool:
    """Return whether the character at `beyond` goes on with what ends or begins at `edge`."""
    if not 0 <= beyond < len(text) or not text[edge].isalnum():
        return False
    if text[beyond] == ".":
        return _digits(text[beyond - 1 : beyond]) == _digits(text[beyond + 1 : beyond + 2]) == 1
    if text[beyond] == ",":
        before = text[max(0, beyond - 4) : beyond][::-1]
        return 1 <= _digits(before) <= 3 and _digits(text[beyond + 1 : beyond + 5]) == 3
    return text[beyond].isalnum()


def _digits(text: str) -> int:
    """Return how many digits `text` begins with."""
    return next((i for i, character in enumerate(text) if not character.isdecimal()), len(text))
