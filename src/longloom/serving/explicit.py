"""A request's own word on what is the document: its field `longloom`.

{"longloom": {"document": "TEXT"}}
{"longloom": {"documents": ["TEXT", {"name": "b.txt", "text": "TEXT"}], "question": "..."}}
"""

from collections.abc import Mapping, Sequence

from longloom.errors import DataError


def explicit_reading(extra: Mapping[str, object]) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return the named documents and the question of `extra`, each empty if it is not given.

    Raises:
        DataError: a field is of the wrong type.
    """
    question = extra.get("question")
    question = "" if question is None else question
    if not isinstance(question, str):
        raise DataError(f"longloom.question is {question!r:.80}; a string was expected.")
    one, several = extra.get("document"), extra.get("documents")
    if one is not None and several is not None:
        raise DataError("longloom has both document and documents; give one of them.")
    given = [one] if one is not None else several
    if given is None:
        return (), question.strip()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise DataError(
            f"longloom.documents is of type {type(given).__name__}; a list was expected."
        )
    documents = tuple(_document(number, entry) for number, entry in enumerate(given))
    if not any(text.strip() for _, text in documents):
        raise DataError(
            f"The {len(documents)} documents of the field longloom hold no text; give a text, or "
            "leave the field out."
        )
    return documents, question.strip()


def _document(number: int, entry: object) -> tuple[str, str]:
    if isinstance(entry, str):
        return "", entry
    name = entry.get("name", "") if isinstance(entry, Mapping) else None
    text = entry.get("text") if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or not isinstance(text, str):
        raise DataError(
            f"Document {number} of the field longloom is neither a text nor an object with the "
            "strings `name` and `text`."
        )
    return name, text
