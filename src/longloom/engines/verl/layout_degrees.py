"""The degrees by which rows and matrices can be divided among the GPUs of a node."""

from longloom.engines.model_sizes import ModelSizes
from longloom.engines.verl.cluster_config import ClusterConfig


def sequence_degrees(sizes: ModelSizes, cluster: ClusterConfig) -> list[int]:
    """Return the degrees that verl's Ulysses takes, within a node and dividing the GPUs.

    It wants query heads divisible by the degree, and one of degree and key heads by the other
    (`apply_monkey_patch`).
    """
    return [
        degree
        for degree in powers_of_two(gpus_of_a_node(cluster))
        if sizes.num_heads % degree == 0
        and (num_key_heads(sizes) % degree == 0 or degree % num_key_heads(sizes) == 0)
    ]


def tensor_degrees(sizes: ModelSizes, cluster: ClusterConfig) -> list[int]:
    """Return the degrees that divide the key heads, within a node."""
    return [
        degree
        for degree in powers_of_two(gpus_of_a_node(cluster))
        if num_key_heads(sizes) % degree == 0
    ]


def num_key_heads(sizes: ModelSizes) -> int:
    """Return the heads that keys and values have."""
    return sizes.key_width * sizes.num_heads // sizes.query_width


def gpus_of_a_node(cluster: ClusterConfig) -> int:
    """Return the GPUs of each node that train."""
    return cluster.num_gpus // cluster.num_nodes


def powers_of_two(most: int) -> list[int]:
    """Return the powers of two that divide `most`."""
    return [1 << place for place in range(most.bit_length()) if most % (1 << place) == 0]
