"""Digests tell files apart by their content alone."""

import hashlib
import os

import pytest

from longloom.errors import DataError
from longloom.runlog.digests import file_digest, joined_digest, sampled_digest


def test_digest_is_of_the_bytes_alone(tmp_path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"abc")
    second.write_bytes(b"abc")
    os.utime(second, (0, 0))
    assert file_digest(first) == hashlib.blake2b(b"abc", digest_size=16).hexdigest()
    assert file_digest(second) == file_digest(first)
    second.write_bytes(b"abd")
    os.utime(second, (first.stat().st_atime, first.stat().st_mtime))
    assert file_digest(second) != file_digest(first)


@pytest.mark.parametrize("num_bytes", [0, 1, 1000, 65_536, 100_000, 5_000_000])
def test_sampled_digest_sees_size_both_ends_and_whole_changes(tmp_path, num_bytes) -> None:
    path = tmp_path / "weights"

    def digest(content: bytes) -> str:
        path.write_bytes(content)
        return sampled_digest(path)

    plain = bytes(num_bytes)
    found = {digest(plain), digest(plain + b"\0")}
    assert digest(plain) in found
    assert len(found) == 2
    if num_bytes:
        found |= {digest(b"\1" + plain[1:]), digest(plain[:-1] + b"\2"), digest(b"\3" * num_bytes)}
        assert len(found) == 5


def test_joined_digests_keep_their_order_and_their_borders() -> None:
    assert joined_digest(["ab", "c"]) != joined_digest(["a", "bc"])
    assert joined_digest(["a", "b"]) != joined_digest(["b", "a"])


@pytest.mark.parametrize("digest", [file_digest, sampled_digest])
def test_missing_file_is_refused(tmp_path, digest) -> None:
    with pytest.raises(DataError, match="gone cannot be read: No such file"):
        digest(tmp_path / "gone")
