"""Recognisers of requests: which part of a message is the document, which the question.

    message text -> pieces (document, question, dropped), or None if the layout is not this one

A recogniser looks for fixed strings from the ends of the text inwards and in bounded windows; it
uses no pattern that can backtrack and takes time linear in the text, whatever the text is. Its
pieces cover every character of the message. Read `pieces.py`, then `open_webui.py`.
"""

from longloom.serving.layouts.benchmarks import corpus_qa, longbench, ruler
from longloom.serving.layouts.open_webui import open_webui
from longloom.serving.layouts.pieces import Piece, PieceKind
from longloom.serving.layouts.plain_text import plain_text
from longloom.serving.layouts.tagged_text import tagged_text

__all__ = [
    "Piece",
    "PieceKind",
    "corpus_qa",
    "longbench",
    "open_webui",
    "plain_text",
    "ruler",
    "tagged_text",
]
