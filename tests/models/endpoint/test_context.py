import pytest

from longloom.models.endpoint.context import is_too_long, stated_window
from longloom.models.endpoint.window import stated_in_card

WORDINGS = [
    # OpenAI
    ("context_length_exceeded", "This model's maximum context length is 8192 tokens. However, your "
     "messages resulted in 10000 tokens.", 8192),
    # vLLM, over time
    ("400", "This model's maximum context length is 4096 tokens. However, you requested 5000 "
     "tokens (4000 in the messages, 1000 in the completion).", 4096),
    ("400", "'max_tokens' or 'max_completion_tokens' is too large: 100000. This model's maximum "
     "context length is 32768 tokens and your request has 5000 input tokens.", 32768),
    ("400", "You passed 9000 input tokens and requested 100 output tokens. However, the model's "
     "context length is only 8192 tokens, resulting in a maximum input length of 8092.", 8192),
    ("400", "The decoder prompt (length 9000) is longer than the maximum model length of 8192. "
     "Make sure that `max_model_len` is no smaller than the number of text tokens.", 8192),
    ("400", "max_tokens must be at least 1, got -904.", None),
    # SGLang
    ("400", "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
     32768),
    ("400", "Requested token count exceeds the model's maximum context length of 32768 tokens. You "
     "requested a total of 40000 tokens.", 32768),
    # llama.cpp
    ("exceed_context_size_error", "request (9000 tokens) exceeds the available context size (4096 "
     "tokens), try increasing it", 4096),
    ("400", "the request exceeds the available context size. try increasing it", None),
    ("500", "input is too large to process. increase the physical batch size", None),
    # others
    ("validation", "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
     "Given: 5000 `inputs` tokens and 20 `max_new_tokens`", 4096),
    ("400", "However, the model is loaded with context length of only 4096 tokens, which is not "
     "enough.", 4096),
    ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", 200000),
    ("400", "The input token count (1200000) exceeds the maximum number of tokens allowed "
     "(1048576).", 1048576),
    ("400", "prompt too long; exceeded max context length by 4 tokens", None),
    ("400", "Input exceeds the context window of this model: 128,001 tokens", None),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "window_tokens"), WORDINGS)
def test_every_servers_wording_is_understood(
    code: str, message: str, window_tokens: int | None
) -> None:
    assert is_too_long(500 if code == "500" else 400, code, message)
    assert stated_window(message) == window_tokens


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "", "temperature must be at most 2"),
        (400, "", "context is missing"),
        (429, "rate_limit_exceeded", "Request too large: prompt too long for tokens per minute"),
        (401, "", "maximum context length is 10 tokens"),
        (500, "", "Internal Server Error"),
    ],
)
def test_other_errors_are_not_about_the_window(status: int, code: str, message: str) -> None:
    assert not is_too_long(status, code, message)


def test_window_beyond_reason_is_not_believed() -> None:
    assert stated_window("maximum context length is 99999999999 tokens") is None
    assert stated_window("maximum context length is 128,000 tokens") == 128_000


@pytest.mark.parametrize(
    ("card", "window_tokens"),
    [
        ({"max_model_len": 32768}, 32768),
        ({"context_length": 200000}, 200000),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 131072}}, 4096),
        ({"loaded_context_length": 8192, "context_length": 131072}, 8192),
        ({"max_model_len": None, "context_length": "many", "meta": []}, None),
        ({"max_model_len": True}, None),
        ({"max_model_len": -1}, None),
        ({}, None),
    ],
)
def test_window_is_read_from_the_list_of_models(card: dict, window_tokens: int | None) -> None:
    assert stated_in_card(card) == window_tokens
