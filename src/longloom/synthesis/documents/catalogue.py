"""Which readers there are, and which one reads a file."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from longloom.errors import DataError
from longloom.synthesis.documents import (
    books,
    csv,
    dialogues,
    generic_xml,
    html,
    ixbrl,
    jats,
    jsonl,
    law_xml,
    markdown,
    oscal,
    parquet,
    pdf,
    plain,
    python_source,
    rst,
    transcripts,
    xml2rfc,
)
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import Reader, SourceFile

Accepts = Callable[[SourceFile], bool]


def _has_suffix(*suffixes: str) -> Accepts:
    return lambda source: source.name.lower().endswith(suffixes)


READERS: tuple[tuple[Accepts, Reader], ...] = (
    (ixbrl.accepts, ixbrl.read),
    (books.accepts, books.read),
    (jats.accepts, jats.read),
    (xml2rfc.accepts, xml2rfc.read),
    (law_xml.accepts, law_xml.read),
    (oscal.accepts, oscal.read),
    (_has_suffix(".json", ".jsonl"), dialogues.read_dialogues),
    (_has_suffix(".jsonl"), jsonl.read),
    (_has_suffix(".csv", ".tsv"), csv.read),
    (_has_suffix(".parquet"), parquet.read),
    (pdf.accepts, pdf.read),
    (html.accepts, html.read),
    (rst.accepts, rst.read),
    (python_source.accepts, python_source.read),
    (markdown.accepts, markdown.read),
    (_has_suffix(".txt", ".text", ".log", ".vtt"), transcripts.read_transcript),
    (generic_xml.accepts, generic_xml.read),
    (plain.accepts, plain.read),
)
"""Readers in the order in which they are asked; the particular before the general."""

_TENTATIVE = (dialogues.read_dialogues, transcripts.read_transcript)
"""Readers that know only by reading; what they refuse goes to the next that accepts it."""


def read_file(source: SourceFile) -> Iterable[Reading]:
    """Return the documents of a file, by the first reader that accepts it and can read it.

    Raises:
        DataError: no reader accepts it, or none can read it; the message is the last reason.
    """
    refusal: DataError | None = None
    for accepts, read in READERS:
        if not accepts(source):
            continue
        try:
            return _begun(read(source))
        except DataError as error:
            if read not in _TENTATIVE:
                raise
            refusal = error
    if refusal is not None:
        raise refusal
    suffix = source.name.rpartition(".")[2] if "." in source.name else "no suffix"
    raise DataError(f"no reader for this kind of file: {suffix[:10]}")


def _begun(readings: Iterable[Reading]) -> Iterator[Reading]:
    """Read the first document, so that a reader that cannot read says so here."""
    iterator = iter(readings)
    first = next(iterator, None)
    return iter(()) if first is None else chain([first], iterator)
