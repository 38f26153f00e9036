"""Models: what can be sampled and trained, behind two small protocols.

`protocols.py` says what agents need of a sampler, `network.py` what sampling and training need of a
network. Dense Qwen3 is our own network; other decoders go through one adapter to transformers. Both
read and write Hugging Face folders that transformers and vLLM load unchanged, and compute the
prompt of a rollout group once, for sampling and for training alike (G(P+R) tokens become P+GR).

    loading.py -> qwen3.py                 ->  generate.py -> local_sampler.py   (sampling)
               -> transformers_network.py  ->  local_policy.py                   (training)
                                           ->  live/  (serving)

Read `network.py`, `shared_prefix.py`, `loading.py`.
"""
