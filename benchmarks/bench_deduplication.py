"""How fast duplicates are found among all real documents, on one core, beside two peers.

The texts of ../shared/data/corpus-* (read once, not timed) go through our signatures, bands and
exact confirmation; through datasketch's MinHash and MinHashLSH over the same shingles; and through
datatrove's four MinHash steps with one worker. CPU seconds of each, with its removals, and beside
them the removals that exact Jaccard similarity of all pairs gives. Target: 15 MB/s.
datatrove runs with its own default bands and removes more; why was not looked into.
The peers live in an environment of their own, made when it is missing (`--peers FOLDER`); one that
cannot be installed is named in the result. Result: results/deduplication.json.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from importlib import metadata
from itertools import combinations
from pathlib import Path
from typing import Any

from machine_facts import machine_facts

NUM_ROUNDS = 3
SIMILARITY = 0.8
NEAR_SIMILARITY = 0.5
TARGET_MEGABYTES_PER_SECOND = 15
HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared/data"
PEERS = Path(tempfile.gettempdir()) / "longloom-deduplication-peers"
REQUIREMENTS = (
    "datasketch==2.0.0",
    "datatrove==0.10.1",
    "orjson",
    "spacy",
    "tokenizers",
    "xxhash<4",
)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def read_texts() -> dict[str, str]:
    """Return the texts of all documents by id, in the order of the files."""
    from longloom.errors import DataError
    from longloom.synthesis.documents.catalogue import read_file
    from longloom.synthesis.documents.files import find_files
    from longloom.synthesis.documents.reader import SourceFile

    texts: dict[str, str] = {}
    for folder in sorted(SHARED.glob("corpus-*")):
        for file in find_files(str(folder)):
            source = SourceFile(name=file.name, payload=file.path.read_bytes())
            try:
                for reading in read_file(source):
                    texts[f"{len(texts):05d}"] = reading.document.text
            except DataError:
                continue
    return texts


def ours(texts: dict[str, str]) -> dict[str, Any]:
    """Find duplicates as curation does."""
    from longloom.synthesis.curation.duplicates import find_duplicates, signature_of

    begin = time.process_time()
    signatures = {doc_id: signature_of(text) for doc_id, text in texts.items()}
    signed = time.process_time()
    found = find_duplicates(
        signatures,
        texts.__getitem__,
        similarity=SIMILARITY,
        near_similarity=NEAR_SIMILARITY,
    )
    end = time.process_time()
    return {
        "cpu_seconds": end - begin,
        "signature_cpu_seconds": signed - begin,
        "removed": sorted(found.dropped),
        "num_near_pairs": sum(map(len, found.near_copies.values())) // 2,
    }


def exact(texts: dict[str, str]) -> list[str]:
    """Return the removals that exact similarity of all pairs gives, in the same order."""
    from longloom.synthesis.curation.duplicates import shingles_of

    doc_ids = list(texts)
    owners: dict[int, list[int]] = {}
    sizes = []
    for place, doc_id in enumerate(doc_ids):
        shingles = set(shingles_of(texts[doc_id]))
        sizes.append(len(shingles))
        for shingle in shingles:
            owners.setdefault(hash(shingle), []).append(place)
    shared: Counter[tuple[int, int]] = Counter()
    for places in owners.values():
        if len(places) > 1:
            shared.update(combinations(places, 2))
    copies: dict[int, list[int]] = {}
    for (first, second), count in shared.items():
        if count / (sizes[first] + sizes[second] - count) >= SIMILARITY:
            copies.setdefault(second, []).append(first)
    kept = set(range(len(doc_ids)))
    for place in sorted(copies):
        if kept.intersection(copies[place]):
            kept.discard(place)
    return [doc_id for place, doc_id in enumerate(doc_ids) if place not in kept]


def datasketch_peer(texts: dict[str, str]) -> dict[str, Any]:
    """Find duplicates with datasketch, over the same shingles, by its own estimate."""
    import re

    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

    begin = cpu_seconds()
    index = MinHashLSH(threshold=SIMILARITY, num_perm=128)
    removed = []
    for doc_id, text in texts.items():
        words = re.findall(r"\w+", text.casefold())
        runs = zip(*(words[first:] for first in range(5)), strict=False)
        shingles = {" ".join(run).encode() for run in runs} or {" ".join(words).encode()}
        sketch = MinHash(num_perm=128)
        sketch.update_batch(shingles)
        if index.query(sketch):
            removed.append(doc_id)
        else:
            index.insert(doc_id, sketch)
    return {"cpu_seconds": cpu_seconds() - begin, "removed": removed}


def datatrove_peer(texts: dict[str, str]) -> dict[str, Any]:
    """Find duplicates with datatrove's four steps, one worker each."""
    from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-not-found]
    from datatrove.pipeline.dedup import (  # type: ignore[import-not-found]
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import (  # type: ignore[import-not-found]
        MinhashConfig,
        MinhashDedupBuckets,
    )
    from datatrove.pipeline.readers import JsonlReader  # type: ignore[import-not-found]
    from datatrove.pipeline.writers import JsonlWriter  # type: ignore[import-not-found]

    config = MinhashConfig(n_grams=5)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "texts").mkdir()
        with (root / "texts/texts.jsonl").open("w", encoding="utf-8") as stream:
            for doc_id, text in texts.items():
                stream.write(json.dumps({"id": doc_id, "text": text}) + "\n")
        reader = JsonlReader(f"{root}/texts")
        begin = cpu_seconds()
        steps: list[tuple[int, list[Any]]] = [
            (1, [reader, MinhashDedupSignature(f"{root}/signatures", config=config)]),
            (
                config.num_buckets,
                [MinhashDedupBuckets(f"{root}/signatures", f"{root}/buckets", config=config)],
            ),
            (1, [MinhashDedupCluster(f"{root}/buckets", f"{root}/removals", config=config)]),
            (
                1,
                [
                    reader,
                    MinhashDedupFilter(f"{root}/removals"),
                    JsonlWriter(f"{root}/kept", compression=None),
                ],
            ),
        ]
        for place, (num_tasks, pipeline) in enumerate(steps):
            LocalPipelineExecutor(
                pipeline=pipeline,
                tasks=num_tasks,
                workers=1,
                logging_dir=f"{root}/logs/{place}",
            ).run()
        spent = cpu_seconds() - begin
        kept = set()
        for path in (root / "kept").glob("*.jsonl"):
            with path.open(encoding="utf-8") as stream:
                kept |= {json.loads(line)["id"] for line in stream}
    return {"cpu_seconds": spent, "removed": [doc_id for doc_id in texts if doc_id not in kept]}


PEER_WORK = {"datasketch": datasketch_peer, "datatrove": datatrove_peer}


def make_peers(folder: Path) -> str:
    """Install the peers into an environment of their own; return why that failed, or nothing."""
    if (folder / "bin/python").exists():
        return ""
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin/pip"), "install", "-q", *REQUIREMENTS],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"cannot be installed: {done.stderr.strip().splitlines()[-1][:200]}"
    return ""


def run_peer(name: str, python: Path, texts_path: Path) -> dict[str, Any]:
    """Run a peer in its environment."""
    command = [str(python), str(Path(__file__).resolve()), "--peer", name, str(texts_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": f"cannot be run: {done.stderr.strip().splitlines()[-1][:200]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(texts: dict[str, str], peers: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run everything on the texts; return our best round and the peers."""
    rounds = [ours(texts) for _ in range(NUM_ROUNDS)]
    problem = make_peers(peers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        found = {
            name: {"error": problem} if problem else run_peer(name, peers / "bin/python", path)
            for name in PEER_WORK
        }
    return min(rounds, key=lambda each: each["cpu_seconds"]), found


def line_of(name: str, found: dict[str, Any], megabytes: float) -> str:
    """Return a line of the table."""
    seconds, num_removed = found["cpu_seconds"], len(found["removed"])
    speed = megabytes / seconds
    return f"{name:<11}{seconds:8.2f} CPU s {speed:7.2f} MB/s, removes {num_removed}"


def main(peers: Path) -> None:
    """Measure, print a table and write the result."""
    texts = read_texts()
    if not texts:
        sys.exit(f"no documents in {SHARED}")
    megabytes = sum(len(text.encode()) for text in texts.values()) / 1e6
    best, found = measure(texts, peers)
    expected = exact(texts)
    speed = megabytes / best["cpu_seconds"]
    print(f"{len(texts)} documents, {megabytes:.1f} MB; exact Jaccard removes {len(expected)}")
    print(line_of("longloom", best, megabytes))
    rows: dict[str, Any] = {
        "longloom": {
            "megabytes_per_cpu_second": round(speed, 2),
            "signature_megabytes_per_cpu_second": round(
                megabytes / best["signature_cpu_seconds"], 2
            ),
            "num_removed": len(best["removed"]),
            "num_near_pairs": best["num_near_pairs"],
            "removes_what_exact_jaccard_removes": best["removed"] == expected,
        }
    }
    for name, peer in found.items():
        if "error" in peer:
            rows[name] = {"not_measured": peer["error"]}
            print(f"{name:<11} {peer['error']}")
            continue
        peer_speed = megabytes / peer["cpu_seconds"]
        print(line_of(name, peer, megabytes))
        rows[name] = {
            "version": peer["version"],
            "megabytes_per_cpu_second": round(peer_speed, 2),
            "times_slower": round(speed / peer_speed, 1),
            "num_removed": len(peer["removed"]),
            "num_removed_unlike_exact": len(set(peer["removed"]) ^ set(expected)),
        }
    result = {
        "benchmark": "deduplication",
        "command": "python benchmarks/bench_deduplication.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(rensa=metadata.version("rensa"), numpy=metadata.version("numpy")),
        "num_documents": len(texts),
        "num_megabytes": round(megabytes, 3),
        "num_rounds": NUM_ROUNDS,
        "similarity": SIMILARITY,
        "target_megabytes_per_second": TARGET_MEGABYTES_PER_SECOND,
        "exact_jaccard_num_removed": len(expected),
        "results": rows,
    }
    target = HERE / "results/deduplication.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure how fast duplicates are found.")
    parser.add_argument("--peers", type=Path, default=PEERS, help="environment of the peers")
    parser.add_argument("--peer", nargs=2, metavar=("NAME", "TEXTS"), help="run one peer")
    given = parser.parse_args()
    if given.peer:
        name, texts_path = given.peer
        measured = PEER_WORK[name](json.loads(Path(texts_path).read_text("utf-8")))
        print(json.dumps({**measured, "version": metadata.version(name)}))
    else:
        main(given.peers)
