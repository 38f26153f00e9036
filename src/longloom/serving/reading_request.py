"""A chat request as documents to read and a question to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from longloom.serving.turns import chat_turns, rendered


class Recogniser(StrEnum):
    """What decided how a request was split."""

    CONVERSATION = "conversation"
    CORPUS_QA = "corpus_qa"
    EXPLICIT = "explicit"
    LARGEST_TEXT = "largest_text"
    LONGBENCH = "longbench"
    OPEN_WEBUI = "open_webui"
    RULER = "ruler"
    SYSTEM_PROMPT = "system_prompt"
    TAGGED_TEXT = "tagged_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRequest:
    """A chat request as something to read and something to answer."""

    documents: tuple[tuple[str, str], ...]
    """Names, all different, and texts, in the order of the messages."""
    question: str
    """What is asked, the form of the answer included."""
    messages: tuple[Mapping[str, object], ...]
    """What goes before the question in the final call: system prompt, earlier turns."""
    recogniser: Recogniser
    """What decided."""
    dropped: tuple[str, ...]
    """Text that is in none of them: tags, a client's template."""

    @property
    def question_in_conversation(self) -> str:
        """The question after the earlier turns, for a reader that sees no chat."""
        turns = [turn for turn in chat_turns(self.messages) if not turn.is_system and turn.text]
        if not turns:
            return self.question
        return f"{rendered(turns)}\n\n[user]\n{self.question}"

    def as_json(self) -> dict[str, object]:
        """Return how the request was split, without its texts."""
        return {
            "recogniser": self.recogniser.value,
            "documents": [{"name": name, "chars": len(text)} for name, text in self.documents],
            "question_chars": len(self.question),
            "kept_messages": len(self.messages),
            "dropped_chars": sum(len(text) for text in self.dropped),
        }
