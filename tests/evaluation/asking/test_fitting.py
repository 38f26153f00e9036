"""Prompts are brought to their length; what surely fits is not counted."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from longloom.evaluation.asking.fitting import fit_prompt
from longloom.evaluation.questions import Asked
from longloom.records import ChatMessage, Reply, ReplyRequest
from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.token_starts import TokenStarts

ESTIMATED = EstimatedTokens()


class Watched(EstimatedTokens):
    """Notes what is counted and what is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[str] = []
        self.cut: list[str] = []

    def count(self, text: str) -> int:
        self.counted.append(text)
        return super().count(text)

    def starts(self, text: str) -> Iterator[TokenStarts]:
        self.cut.append(text)
        return super().starts(text)


class Chat:
    """Measures prompts with 3 tokens around each message."""

    name = "watched"
    window_tokens = 1_000

    def __init__(self) -> None:
        self.tokens = Watched()

    def num_prompt_tokens(self, message: str) -> int:
        return ESTIMATED.count(message) + 3

    async def reply(self, request: ReplyRequest) -> Reply:
        raise AssertionError("nothing is asked here")


def asked(context: str, **changes: object) -> Asked:
    return Asked(context=context, query="Why?", after=" Why?", **changes)


def test_what_surely_fits_is_not_counted() -> None:
    chat = Chat()
    fitted = fit_prompt(asked("word " * 10), chat, 60)  # 55 characters and 3 tokens
    assert (fitted.num_tokens, fitted.is_cut) == (None, False)
    assert chat.tokens.counted == []


def test_what_may_be_too_long_is_counted_once() -> None:
    chat = Chat()
    question = asked("word " * 10)
    fitted = fit_prompt(question, chat, 57)
    assert fitted.num_tokens == 3 + ESTIMATED.count(question.message)
    assert not fitted.is_cut
    assert chat.tokens.counted == [question.message]


def test_what_is_far_too_long_is_measured_by_its_cut() -> None:
    chat = Chat()
    question = asked("some words of a long text " * 500)
    fitted = fit_prompt(question, chat, 60)
    assert fitted.num_tokens == 3 + ESTIMATED.count(question.message)
    assert fitted.is_cut
    assert ESTIMATED.count(fitted.message) <= 57
    assert fitted.message.startswith("some words")
    assert fitted.message.endswith("Why?")
    assert question.message not in chat.tokens.counted
    assert chat.tokens.cut == [question.message]


def test_a_chat_that_is_far_too_long_becomes_one_message() -> None:
    chat = Chat()
    turns = (ChatMessage(role="user", content="old words " * 400),)
    question = asked("old words " * 400, history=turns, is_chat=True)
    fitted = fit_prompt(question, chat, 60)
    assert fitted.is_cut
    assert fitted.history == ()
    assert ESTIMATED.count(fitted.message) <= 57
    assert fitted.message.endswith("Why?")


@given(st.text(max_size=200))
def test_no_estimate_is_above_the_bytes_of_a_text(text: str) -> None:
    assert ESTIMATED.count(text) <= len(text.encode("utf-8", "surrogatepass"))
