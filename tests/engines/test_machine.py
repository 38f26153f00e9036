import pytest
import torch

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import available_bytes, resolve, told_when_memory_ends
from longloom.errors import EngineError

CPU = torch.device("cpu")


def test_the_cpu_takes_fp32_and_keeps_activations():
    use = resolve(LocalEngineConfig(device="cpu"))
    assert (use.device, use.dtype, use.recomputes_layers) == (CPU, torch.float32, False)
    assert (use.max_batch_tokens, use.max_cache_tokens) == (3_072, 65_536)


def test_settings_are_taken_over():
    config = LocalEngineConfig(
        device="cpu", dtype="bfloat16", gradient_checkpointing="on", max_batch_tokens=5
    )
    use = resolve(config)
    assert (use.dtype, use.recomputes_layers, use.max_batch_tokens) == (torch.bfloat16, True, 5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_accelerator_is_an_engine_error():
    with pytest.raises(EngineError, match="no CUDA device"):
        resolve(LocalEngineConfig(device="cuda"))


def machine(root, files):
    for name, text in {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 5000 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return available_bytes(CPU, root=root)


def test_without_control_groups_the_kernel_is_asked(tmp_path):
    assert machine(tmp_path, {}) == 5_000 * 1_024


def test_the_narrowest_control_group_above_the_process_binds(tmp_path):
    group = "sys/fs/cgroup"
    found = machine(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner\n",
            f"{group}/outer/memory.max": "2000000\n",
            f"{group}/outer/memory.current": "1500000\n",
            f"{group}/outer/memory.stat": "anon 7\ninactive_file 300000\n",
            f"{group}/outer/inner/memory.max": "max\n",
            f"{group}/outer/inner/memory.current": "1000\n",
        },
    )
    assert found == 2_000_000 - 1_500_000 + 300_000


def test_the_first_version_of_control_groups_is_read(tmp_path):
    group = "sys/fs/cgroup/memory"
    found = machine(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu:/elsewhere\n4:memory:/of/the/host\n",
            f"{group}/memory.limit_in_bytes": "900000\n",
            f"{group}/memory.usage_in_bytes": "100000\n",
        },
    )
    assert found == 800_000


def test_a_group_over_its_limit_leaves_nothing(tmp_path):
    group = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "0::/\n",
        f"{group}/memory.max": "10",
        f"{group}/memory.current": "20",
    }
    assert machine(tmp_path, files) == 0


def test_a_system_that_does_not_say_is_an_engine_error(tmp_path):
    with pytest.raises(EngineError, match="MemAvailable"):
        available_bytes(CPU, root=tmp_path)


def test_this_machine_says():
    assert available_bytes(CPU) > 1_000_000


def allocate_too_much():
    torch.empty(1 << 60)


@pytest.mark.parametrize("failing", [allocate_too_much, lambda: bytearray(1 << 60)])
def test_running_out_of_memory_is_an_engine_error_with_advice(failing):
    with (
        pytest.raises(EngineError, match=r"out of memory .*; take less"),
        told_when_memory_ends(lambda: "take less"),
    ):
        failing()


def test_cuda_says_so_with_an_error_of_its_own():
    with (
        pytest.raises(EngineError, match="tried to allocate 2 GiB"),
        told_when_memory_ends(lambda: "take less"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory, tried to allocate 2 GiB\nmore")


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), told_when_memory_ends(lambda: "take less"):
        raise RuntimeError("shapes differ")
