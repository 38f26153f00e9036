"""A tokenizer read from a Hugging Face folder, without importing transformers.

What it leaves out: slow (Python) tokenizers; the folder must hold `tokenizer.json`.

A message cannot leave its turn: where a document spells a special token of the tokenizer, such as
the one that ends a turn, `render_chat` puts a space after its first character, so that it is read
as plain characters. Tags of the prompts (`<memory>`, `<think>`) are no special tokens and stay.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import jinja2
import jinja2.sandbox

from longloom.errors import ModelError

PLAIN_CHAT = "{% for message in messages %}{{ message['content'] }}{{ '\\n\\n' }}{% endfor %}"
"""For models without a chat template, such as base models: the messages, apart by blank lines."""


class Tokenizer(Protocol):
    """What the rest of Longloom needs of a tokenizer."""

    @property
    def name(self) -> str:
        """Tells it apart from tokenizers that make other tokens or prompts; for journal keys."""

    @property
    def end_id(self) -> int:
        """Token that ends a turn of the assistant where we write one."""

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens any of which ends an answer of the model; `end_id` is one of them."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; special tokens written out in it are recognised."""

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return ids and, for each, its half-open character span in `text`."""

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of `token_ids`, special tokens included."""

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the chat as text, ending where the assistant starts to write.

        Special tokens spelled out in a message are broken up.

        Raises:
            ModelError: the chat template refuses the messages.
        """


class FolderTokenizer:
    """`tokenizer.json`, the chat template and the end tokens of a model folder.

    Answers end where vLLM ends them: at the tokenizer's own end token and at those that
    generation_config.json names, or config.json where that names none.
    """

    def __init__(self, folder: Path) -> None:
        """Load the tokenizer files of `folder`.

        Raises:
            ModelError: a file is missing or damaged.
        """
        from tokenizers import Tokenizer as FastTokenizer

        try:
            serialised = (folder / "tokenizer.json").read_bytes()
            self._tokenizer = FastTokenizer.from_buffer(serialised)
            settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
            template_file = folder / "chat_template.jinja"
            template = (
                template_file.read_text("utf-8")
                if template_file.exists()
                else settings.get("chat_template") or PLAIN_CHAT
            )
            end_token = settings["eos_token"]
            environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
                trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
            )
            environment.globals |= _template_names(settings)
            self._chat_template = environment.from_string(template)
        except Exception as error:  # tokenizers raises bare Exception on damaged files
            raise ModelError(
                f"no usable tokenizer in {folder}: {error}; expected tokenizer.json and "
                "tokenizer_config.json with eos_token"
            ) from None
        if isinstance(end_token, dict):
            end_token = end_token["content"]
        end_id = self._tokenizer.token_to_id(end_token)
        if end_id is None:
            raise ModelError(f"end token {end_token!r} of {folder} is not in its vocabulary")
        self._end_id: int = end_id
        self._end_ids = frozenset({end_id, *_more_end_ids(folder)})
        digest = hashlib.blake2b(serialised, digest_size=16)
        digest.update(json.dumps([template, settings, sorted(self._end_ids)]).encode("utf-8"))
        self._name = f"tokenizer {digest.hexdigest()}"
        added = self._tokenizer.get_added_tokens_decoder().values()
        specials = sorted((token.content for token in added if token.special), key=len)
        self._special = re.compile("|".join(map(re.escape, reversed(specials))) or r"(?!)")

    @property
    def name(self) -> str:
        """Tells it apart by what its files hold, wherever they are."""
        return self._name

    @property
    def end_id(self) -> int:
        """Token that ends a turn of the assistant where we write one."""
        return self._end_id

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens any of which ends an answer of the model."""
        return self._end_ids

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens, added ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; special tokens written out in it are recognised."""
        # As a batch of one, which lets other threads run; without offsets it takes half the time.
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoding.ids
        return ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return ids and, for each, its half-open character span in `text`."""
        (encoding,) = self._tokenizer.encode_batch([text], add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of `token_ids`, special tokens included."""
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=False))

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the chat as text, ending where the assistant starts to write.

        Special tokens spelled out in a message are broken up (see the module's docstring).

        Raises:
            ModelError: the chat template refuses the messages.
        """
        harmless = [
            {**message, "content": self._special.sub(_broken_up, message["content"])}
            for message in messages
        ]
        try:
            return self._chat_template.render(messages=harmless, add_generation_prompt=True)
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template of the model failed: {error}") from None


def _template_names(settings: dict[str, Any]) -> dict[str, object]:
    """Return what chat templates may use beside the messages.

    Not `strftime_now`: prompts would depend on the day. Templates fall back to a fixed date.
    """

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    names: dict[str, object] = {"raise_exception": raise_exception}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        token = settings.get(name)
        if token is not None:
            names[name] = token["content"] if isinstance(token, dict) else token
    return names


def _more_end_ids(folder: Path) -> list[int]:
    """Return the end tokens in the settings of the model beside a tokenizer, if there are any."""
    for path in (folder / "generation_config.json", folder / "config.json"):
        try:
            found = json.loads(path.read_text("utf-8")).get("eos_token_id")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, AttributeError) as error:
            raise ModelError(f"{path} is damaged: {error}; copy the folder again") from None
        if found is None:
            continue
        ids = found if isinstance(found, list) else [found]
        if any(type(token) is not int for token in ids):
            raise ModelError(
                f"{path}: eos_token_id is {found!r}; expected the id of a token or a list of ids"
            )
        return ids
    return []


def _broken_up(match: re.Match[str]) -> str:
    token = match.group()
    return f"{token[0]} {token[1:]}" if len(token) > 1 else " "
