"""Tiny random models of the architectures that go through transformers, and what they compute."""

import torch

from tiny_models import VOCABULARY_SIZE, WINDOW_TOKENS, write_tokenizer

SIZES = {
    "vocab_size": VOCABULARY_SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": WINDOW_TOKENS,
    "initializer_range": 0.3,
    "eos_token_id": 258,
    "pad_token_id": 256,
}


def configuration(name, **changes):
    """Return the transformers configuration of a tiny model."""
    import transformers

    classes = {
        "gemma2": (transformers.Gemma2Config, {"head_dim": 8}),
        "gpt2": (
            transformers.GPT2Config,
            {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": VOCABULARY_SIZE},
        ),
        "granite": (transformers.GraniteConfig, {"attention_multiplier": 0.2}),
        "llama": (
            transformers.LlamaConfig,
            {
                "tie_word_embeddings": True,
                "rope_parameters": {
                    "rope_type": "llama3",
                    "rope_theta": 10_000.0,
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 128,
                },
            },
        ),
        "mistral": (transformers.MistralConfig, {}),
        "mixtral": (transformers.MixtralConfig, {"num_local_experts": 3, "sliding_window": None}),
        "phi": (transformers.PhiConfig, {}),
        "qwen2": (transformers.Qwen2Config, {}),
        "qwen3": (transformers.Qwen3Config, {"head_dim": 8}),
        "qwen3_moe": (
            transformers.Qwen3MoeConfig,
            {
                "head_dim": 8,
                "num_experts": 4,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 16,
                "norm_topk_prob": True,
            },
        ),
    }
    kind, extra = classes[name]
    special = {key: SIZES[key] for key in ("eos_token_id", "pad_token_id")}
    sizes = {**special, "bos_token_id": 257} if name == "gpt2" else {**SIZES, "bos_token_id": 257}
    return kind(**{**sizes, **extra, **changes})


def write_architecture(folder, name, **changes):
    """Write a random model of an architecture as transformers does; return it."""
    import transformers

    torch.manual_seed(11)
    model = transformers.AutoModelForCausalLM.from_config(configuration(name, **changes))
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith(("norm.weight", ".bias")):
                parameter.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return model.eval()


def slow_scores(model, sequences, temperature):
    """Return log-probabilities and entropies of unshared, unpadded rows."""
    logprobs, entropies = [], []
    for sequence in sequences:
        ids = torch.tensor([[*sequence.prompt_ids, *sequence.response_ids]])
        start = len(sequence.prompt_ids) - 1
        logits = model(input_ids=ids).logits[0, start:-1].double() / temperature
        scores = logits.log_softmax(dim=-1)
        targets = torch.tensor(sequence.response_ids)
        logprobs.append(scores.gather(-1, targets[:, None])[:, 0])
        entropies.append(-(scores.exp() * scores).sum(dim=-1))
    return torch.cat(logprobs), torch.cat(entropies)


def relative_error(found, expected):
    """Return the norm of the difference over the norm of what is expected."""
    return float((found - expected).detach().norm() / expected.detach().norm())
