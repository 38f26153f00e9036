"""Rows of supervised fine-tuning: a prompt and the response that is learned.

A row is learned as it would be sampled: the prompt is rendered by the model's chat template up to
where the assistant writes, and the response ends with the end token. So the template's handling of
past turns, which drops their thinking in many models, never touches what is learned.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.errors import DataError
from longloom.text.tokenizer import Tokenizer

_THINKING_STARTS = ("<think>\n", "<think>")


@dataclass(frozen=True, slots=True, kw_only=True)
class SftExample:
    """One answer to learn."""

    prompt_ids: Sequence[int]
    """The prompt's tokens; an array holds a long one in a tenth of a tuple's memory."""
    response_ids: Sequence[int]
    """The response's tokens, the end token included; the loss is taken over them."""

    @property
    def num_tokens(self) -> int:
        """Return the length of prompt and response together."""
        return len(self.prompt_ids) + len(self.response_ids)


def encode_messages(messages: Sequence[Mapping[str, str]], tokenizer: Tokenizer) -> SftExample:
    """Return the row of a chat whose last message, the assistant's, is learned.

    Args:
        messages: Of `role` and `content`; thinking stands in the content.
        tokenizer: Of the model that learns.

    Raises:
        DataError: there is no message before the last, or the last is not the assistant's.
        ModelError: the chat template refuses the messages.
    """
    roles = [message.get("role") for message in messages]
    if len(roles) < 2 or roles[-1] != "assistant" or not messages[-1].get("content"):
        raise DataError(
            f"the roles of the messages are {roles}; expected a prompt and at the end an answer of "
            "the assistant with content; leave the row out or put it right"
        )
    prompt = tokenizer.render_chat(
        [{"role": m["role"], "content": m["content"]} for m in messages[:-1]]
    )
    response = messages[-1]["content"]
    for start in _THINKING_STARTS:  # some templates open the thinking themselves
        if prompt.endswith(start) and response.startswith(start):
            response = response.removeprefix(start)
            break
    return SftExample(
        prompt_ids=array("i", tokenizer.encode(prompt)),
        response_ids=array("i", [*tokenizer.encode(response), tokenizer.end_id]),
    )
