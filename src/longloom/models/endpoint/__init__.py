"""Chat models behind an OpenAI-compatible address (vLLM, SGLang, llama.cpp, hosted ones).

    client.py (cache, limits, retries) -> transport.py (lanes, streams) -> wire.py (bytes)
    chat.py: the same client as the sampler the agents know

Endpoints fail; here that is the normal case. Failures that may pass are tried again, everything
else ends in a typed error of `errors.py`, and a reply is stored before it is used. No tensors.

Read `client.py`, `transport.py`, `chat.py`.
"""
