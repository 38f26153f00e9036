"""One call of the model as a recorded turn."""

from longloom.models.protocols import Sampler
from longloom.records import SampleRequest, SamplingParams, Turn
from longloom.rollout.recent_prompts import TokenisedPrompt, recent_prompts


async def ask(sampler: Sampler, message: str, *, params: SamplingParams, key: str) -> Turn:
    """Send one user message and return the turn.

    Turns that begin with the same message share the tuple of its tokens.

    Raises:
        ModelError: prompt and answer do not fit the window, or the model failed.
    """
    tokenizer = sampler.tokenizer

    def tokenise() -> TokenisedPrompt:
        text = tokenizer.render_chat([{"role": "user", "content": message}])
        return TokenisedPrompt(text=text, ids=tuple(tokenizer.encode(text)))

    prompt = recent_prompts(tokenizer).get(message, tokenise)
    completion = await sampler.sample(SampleRequest(prompt_ids=prompt.ids, params=params, key=key))
    return Turn(
        prompt_ids=prompt.ids,
        response_ids=completion.token_ids,
        rollout_logprobs=completion.logprobs,
        entropies=completion.entropies,
        finish_reason=completion.finish_reason,
        prompt_text=prompt.text,
        response_text=response_text(sampler, completion.token_ids),
    )


def response_text(sampler: Sampler, token_ids: tuple[int, ...]) -> str:
    """Return the text of a response without its end token."""
    tokenizer = sampler.tokenizer
    if token_ids and token_ids[-1] in tokenizer.end_ids:
        token_ids = token_ids[:-1]
    return tokenizer.decode(token_ids)
