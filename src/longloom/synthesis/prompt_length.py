"""Count the tokens of prompts as the model will see them."""

from longloom.errors import ConfigError
from longloom.records import TaskType
from longloom.text.prompts import load_templates, single_pass_prompt
from longloom.text.tokenizer import Tokenizer

CONTEXT_SLOT = "{context}"
"""Stands for the document in stored prompts."""


def template_for(template: str, task_type: TaskType) -> str:
    """Return the template's form for a task type, if it has one of its own."""
    own = f"{template}_{task_type.value}"
    return own if own in load_templates() else template


def user_message(template: str, task_type: TaskType, *, context: str, question: str) -> str:
    """Return the user message of a single-pass prompt."""
    return single_pass_prompt(template_for(template, task_type), context=context, question=question)


class PromptMeter:
    """Counts tokens with one tokenizer and one template."""

    def __init__(self, tokenizer: Tokenizer, template: str) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._fixed_tokens: dict[str, int] = {}

    def text_tokens(self, text: str) -> int:
        """Return the tokens of a text alone."""
        return len(self._tokenizer.encode(text))

    def prompt_tokens(self, task_type: TaskType, *, context: str, question: str) -> int:
        """Return the tokens of the whole prompt, chat template included."""
        message = user_message(self._template, task_type, context=context, question=question)
        rendered = self._tokenizer.render_chat([{"role": "user", "content": message}])
        return len(self._tokenizer.encode(rendered))

    def estimated_fixed_tokens(self, task_type: TaskType, question: str) -> int:
        """Return about how many tokens a prompt has beside its context."""
        form = template_for(self._template, task_type)
        if form not in self._fixed_tokens:
            self._fixed_tokens[form] = self.prompt_tokens(task_type, context="", question="")
        return self._fixed_tokens[form] + self.text_tokens(question)


def check_template_fits(template: str, shortest: int, tokenizer: Tokenizer) -> None:
    """Check that a prompt of `shortest` tokens leaves room for a document.

    Raises:
        ConfigError: the template alone is as long as the band.
    """
    meter = PromptMeter(tokenizer, template)
    template_tokens = meter.prompt_tokens(TaskType.MULTI_HOP, context="", question="")
    if template_tokens >= shortest:
        raise ConfigError(
            f"synthesis.length_bands begins with {shortest} tokens, but template "
            f"{template!r} alone takes {template_tokens}; raise the first length"
        )
