import pytest
import torch

from longloom.models.live.prefix_cache import PrefixCache


def made(num_tokens, seed=0):
    """Return keys and values of 2 layers and 1 head of 3 that tell every token apart."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((2, 2, 1, 1, num_tokens, 3), generator=generator)


def found(cache, token_ids):
    """Return how much is found, and it."""
    room = torch.full((2, 2, 1, 1, len(token_ids), 3), -1.0)
    return cache.fill(token_ids, room), room


def test_the_longest_beginning_is_found_in_whole_blocks():
    cache, kept = PrefixCache(1_000), made(40)
    cache.keep(range(40), kept)
    number, room = found(cache, [*range(35), 99, 98])
    assert number == 32
    assert torch.equal(room[..., :32, :], kept[..., :32, :])
    assert (room[..., 32:, :] == -1).all()


def test_the_same_block_after_another_beginning_is_another_block():
    cache = PrefixCache(1_000)
    cache.keep([1] * 16 + [2] * 16, made(32))
    assert found(cache, [3] * 16 + [2] * 16 + [0])[0] == 0
    assert found(cache, [1] * 16 + [3] * 16 + [0])[0] == 16


def test_nothing_is_found_under_another_salt():
    cache, room = PrefixCache(1_000), torch.zeros((2, 2, 1, 1, 33, 3))
    cache.keep(range(32), made(32), salt="one")
    assert [cache.fill(range(33), room, salt=salt) for salt in ("", "one", "two")] == [0, 32, 0]
    cache.keep(range(32), made(32))
    assert cache.num_tokens == 64


def test_the_last_token_is_never_found():
    cache = PrefixCache(1_000)
    cache.keep(range(32), made(32))
    assert found(cache, range(32))[0] == 16
    assert found(cache, range(33))[0] == 32
    assert found(cache, [])[0] == 0


def test_beginnings_that_are_equal_are_kept_once():
    cache = PrefixCache(1_000)
    cache.keep(range(64), made(64))
    cache.keep([*range(48), *[7] * 16], made(64))
    assert cache.num_tokens == 64 + 16


def test_the_least_recently_used_end_leaves_first():
    cache = PrefixCache(64)
    cache.keep([1] * 32, made(32))
    cache.keep([2] * 32, made(32))
    found(cache, [1] * 33)
    cache.keep([3] * 16, made(16))
    assert cache.num_tokens == 64
    assert found(cache, [1] * 33)[0] == 32
    assert found(cache, [2] * 33)[0] == 16


@pytest.mark.parametrize(("max_tokens", "expected"), [(0, 0), (15, 0), (40, 32)])
def test_no_more_is_kept_than_was_allowed(max_tokens, expected):
    cache = PrefixCache(max_tokens)
    cache.keep(range(100), made(100))
    assert cache.num_tokens == expected
    assert found(cache, range(100))[0] == expected


def test_what_is_kept_is_a_copy():
    cache, kept = PrefixCache(100), made(16)
    before = kept.clone()
    cache.keep(range(16), kept)
    kept.zero_()
    assert torch.equal(found(cache, range(17))[1][..., :16, :], before)
    cache.clear()
    assert cache.num_tokens == 0
