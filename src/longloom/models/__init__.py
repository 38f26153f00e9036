"""Models: what can be sampled and trained, behind two small protocols.

`protocols.py` says what agents (`Sampler`) and training (`Policy`) need. The CPU default is our own
Qwen3 network: it reads and writes Hugging Face folders that transformers and vLLM load unchanged,
and computes the prompt of a rollout group once, for sampling and for training alike
(G(P+R) tokens become P+GR).

    folder.py  ->  qwen3.py  ->  generate.py -> local_sampler.py   (sampling)
                             ->  local_policy.py                   (training)

Read `protocols.py`, `qwen3.py`, `generate.py`.
"""
