"""The prompts of published long-context benchmarks: CorpusQA, LongBench v1, RULER.

LongBench and RULER frame the document by an opening instruction and by what is asked at the end,
often the same instruction again. They are recognised by the words at both ends, looked for in
bounded windows.
"""

from longloom.serving.layouts.pieces import (
    MAX_DOCUMENTS,
    Piece,
    document,
    line_starts,
    nonempty,
    question,
    starts_with_any,
)

HEAD_CHARS = 4_000
"""An opening instruction ends within these."""
TAIL_CHARS = 16_000
"""What is asked at the end begins within these."""

_DOCUMENT = "# Document "
_MAX_NUMBER_CHARS = 12
_QUESTION = "# Question:"

_OPENERS = (
    "story:", "article:", "report:", "text:", "context:", "transcript:", "news:", "passage:",
    "passage 1:", "document 1:", "document:", "the following are given passages",
    "the following are given documents", "the following are some passages",
    "here are 30 paragraphs", "below are some paragraphs", "文章", "会议记录", "以下是",
)  # fmt: skip
"""Lines that open the document of a LongBench v1 prompt."""
_ASKING = ("question:", "query:", "now, ", "问题", "summary:", "the following is an abstract",
           "please enter the final count", "现在")  # fmt: skip
"""Lines that open what it asks at the end."""
_RULER_OPENERS = (
    "some special magic ", "a special magic ", "memorize and track the chain",
    "below is a numbered list of words", "read the following coded text",
)  # fmt: skip
"""The first words of RULER's synthetic tasks."""
_RULER_ASKING = ("what are all the special magic", "what is the special magic", "question:")


def corpus_qa(text: str) -> tuple[Piece, ...] | None:
    """Return the pieces of `# Document i:` blocks followed by `# Question:`; or None."""
    asked = text.rfind("\n" + _QUESTION) + 1
    starts = _block_starts(text, asked)
    if not asked or not starts:
        return None
    ends = [*starts[1:], asked]
    blocks = [
        document(start, end, text[start + 2 : text.find(":", start)])
        for start, end in zip(starts, ends, strict=True)
    ]
    return nonempty([question(0, starts[0]), *blocks, question(asked, len(text))])


def _block_starts(text: str, end: int) -> list[int]:
    """Return where the lines `# Document NUMBER:` of text[:end] begin."""
    starts: list[int] = []
    at = text.find(_DOCUMENT, 0, end)
    while at >= 0 and len(starts) < MAX_DOCUMENTS:
        number = at + len(_DOCUMENT)
        colon = text.find(":", number, number + _MAX_NUMBER_CHARS)
        is_line = at == 0 or text[at - 1] == "\n"
        if is_line and colon > 0 and text[number:colon].strip().isdigit():
            starts.append(at)
        at = text.find(_DOCUMENT, at + 1, end)
    return starts


def longbench(text: str) -> tuple[Piece, ...] | None:
    """Return the pieces of a prompt with an opening line and a closing question; or None."""
    body = _after_opening(text)
    if body is None:
        return None
    asked = _last_line(text, body, _ASKING)
    if asked is None:
        return None
    asked = _with_repeated_instruction(text, body, asked)
    return nonempty([question(0, body), document(body, asked), question(asked, len(text))])


def ruler(text: str) -> tuple[Piece, ...] | None:
    """Return the pieces of a prompt of RULER's synthetic tasks; or None."""
    start = len(text) - len(text.lstrip())
    body = text.find("\n", start) + 1
    if not body or not starts_with_any(text, _RULER_OPENERS, start):
        return None
    asked = _last_line(text, body, _RULER_ASKING)
    if asked is None:
        return None
    return nonempty([question(0, body), document(body, asked), question(asked, len(text))])


def _after_opening(text: str) -> int | None:
    """Return where the document begins: at an opening line, after an instruction."""
    for start in line_starts(text, 0, min(len(text), HEAD_CHARS)):
        if start > 0 and starts_with_any(text, _OPENERS, start):
            return start
    return None


def _last_line(text: str, body: int, marks: tuple[str, ...]) -> int | None:
    """Return the start of the last line near the end that opens with one of `marks`."""
    first = max(body, len(text) - TAIL_CHARS)
    starts = list(line_starts(text, text.find("\n", first) + 1 or first, len(text)))
    found = (start for start in reversed(starts) if starts_with_any(text, marks, start))
    return next(found, None)


def _with_repeated_instruction(text: str, body: int, asked: int) -> int:
    """Return `asked`, or the start of the paragraph before it if that repeats the opening."""
    end = len(text[max(body, asked - HEAD_CHARS) : asked].rstrip())
    end += max(body, asked - HEAD_CHARS)
    start = text.rfind("\n\n", max(body, end - HEAD_CHARS), end)
    paragraph = text[start:end].strip().lower() if start >= 0 else ""
    opening = text[:body].strip().lower()
    is_repeated = bool(paragraph) and (
        paragraph[:60] in opening or paragraph.startswith(("now, ", "answer the question"))
    )
    return start + 2 if is_repeated else asked
