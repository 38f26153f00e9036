"""Tell from an error that a prompt is too long for a model, and how long its window is.

Servers say it in words of their own, and routers that match some of them miss others; the wordings
here are those of OpenAI, vLLM, SGLang, llama.cpp, text-generation-inference, LM Studio, Ollama,
Anthropic and Google. What a server says is only searched by the fixed patterns below.
"""

import re

_STATUSES = frozenset({200, 400, 413, 422, 500})
"""Others say that the call came too often, or that nobody may call at all."""
_CODES = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
)
_NUMBER = r"([\d,_]{1,15})"
_WINDOW_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # OpenAI, vLLM, SGLang: "maximum context length is 8192 tokens", "of 32768 tokens"
        rf"maximum context length (?:is|of) (?:only )?{_NUMBER} tokens",
        # vLLM: "the model's context length is only 8192 tokens"
        rf"context length is (?:only )?{_NUMBER}",
        # vLLM: "longer than the maximum model length of 8192"
        rf"maximum model length of {_NUMBER}",
        # SGLang: "longer than the model's context length (32768 tokens)"
        rf"context length \({_NUMBER}(?: tokens)?\)",
        # llama.cpp: "exceeds the available context size (4096 tokens)"
        rf"available context size(?: \({_NUMBER} tokens\))?",
        # text-generation-inference: "`inputs` tokens + `max_new_tokens` must be <= 4096"
        rf"`inputs` tokens \+ `max_new_tokens` must be <= {_NUMBER}",
        # LM Studio: "loaded with context length of only 4096 tokens"
        rf"context length of (?:only )?{_NUMBER}",
        # Anthropic: "prompt is too long: 210000 tokens > 200000 maximum"
        rf"prompt is too long: [\d,_]+ tokens > {_NUMBER} maximum",
        # Google: "exceeds the maximum number of tokens allowed (1048576)"
        rf"maximum number of tokens allowed \({_NUMBER}\)",
    )
)
_OTHER_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"longer than the model's context length",
        r"exceed\w* (?:the )?(?:model'?s? )?(?:max(?:imum)? )?context (?:length|window|size)",
        r"context (?:length|window|size) (?:is |was |has been )?exceeded",
        r"prompt (?:is )?too long",
        r"input is too (?:large|long)",
        r"max_tokens must be at least 1, got -",  # vLLM: nothing is left for the reply
    )
)
_MOST_TOKENS = 2**31


def is_too_long(status: int, code: str, message: str) -> bool:
    """Return whether an error says that prompt and reply do not fit the window."""
    if status not in _STATUSES:
        return False
    if status == 413 or code in _CODES:
        return True
    return any(pattern.search(message) for pattern in (*_WINDOW_PATTERNS, *_OTHER_PATTERNS))


def stated_window(message: str) -> int | None:
    """Return the tokens of the window that an error names, if it does."""
    for pattern in _WINDOW_PATTERNS:
        found = pattern.search(message)
        if found and found[1]:
            digits = found[1].replace(",", "").replace("_", "")
            if digits and 0 < int(digits) < _MOST_TOKENS:
                return int(digits)
    return None
