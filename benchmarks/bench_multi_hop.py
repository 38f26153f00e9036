"""How many multi-hop questions a second are sampled, and how many are fully verified.

Over the proposals of `../shared/data/corpus-peps`, read and extracted as `longloom synthesize` does
it, as one context. Sampled: distinct programs from random walks that passed the early refusals.
Verified: of these, wording and execution on the context, on the gold documents alone, and without
each gold document in turn. One core. Targets: 3,000 and 300 a second. Beside it, drafts of all
families on contexts of eight linked proposals, through the same checks.

Usage: python benchmarks/bench_multi_hop.py [folder] [--write]
"""

import json
import platform
import sys
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

from longloom.errors import DataError
from longloom.records import Document
from longloom.synthesis.checks.drafts import Checked, check_draft
from longloom.synthesis.documents.catalogue import read_file
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.catalogue import KINDS, RELATIONS, extract_facts
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.anchors import Scene
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.generators.multi_hop import generate
from longloom.synthesis.generators.paths import Path as Walk
from longloom.synthesis.generators.paths import PathSampler
from longloom.synthesis.generators.questions import Asker
from longloom.synthesis.generators.vocabulary import Vocabulary
from longloom.synthesis.programs.world import World

NUM_WALKS = 20_000
NUM_VERIFIED = 3_000
NUM_CONTEXTS = 40
CONTEXT_DOCUMENTS = 8
DRAFTS_PER_CONTEXT = 150
RESULT = Path(__file__).parent / "results" / "multi_hop.json"
FOLDER = Path(__file__).parents[2] / "shared" / "data" / "corpus-peps"

Corpus = dict[str, tuple[Document, list[Fact]]]


def read_corpus(folder: Path) -> Corpus:
    """Return the documents of a folder with their facts."""
    corpus: Corpus = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == "SOURCE.txt":
            continue
        try:
            readings = list(read_file(SourceFile(name=path.name, payload=path.read_bytes())))
        except DataError:
            continue
        for reading in readings:
            corpus[reading.document.doc_id] = (reading.document, extract_facts(reading))
    return corpus


def sampled(world: World, rng: Random) -> tuple[Scene, list[Walk], float]:
    """Return distinct walks and the seconds they took, the index included."""
    begin = time.perf_counter()
    scene = Scene(world, Vocabulary(RELATIONS, KINDS, world))
    sampler = PathSampler(scene)
    walks: dict[object, Walk] = {}
    for _ in range(NUM_WALKS):
        walk = sampler.sample(rng, num_stops=rng.choice((1, 2, 3, 4)))
        if walk is not None:
            walks.setdefault(walk.program, walk)
    return scene, list(walks.values()), time.perf_counter() - begin


def num_verified(scene: Scene, walks: list[Walk], rng: Random) -> tuple[int, float]:
    """Return how many walks are questions that need each of their documents, and the seconds."""
    begin = time.perf_counter()
    asker, world, num_kept = Asker(scene.phraser, rng), scene.world, 0
    for walk in walks:
        execution = walk.program.execute(world)
        gold = list(dict.fromkeys(fact.doc_id for fact in execution.evidence))
        num_kept += (
            len(gold) > 1
            and execution.only_answer == walk.answer
            and asker.path(walk) is not None
            and walk.program.execute(world.only(gold)).only_answer == walk.answer
            and all(
                walk.program.execute(world.without([doc_id])).only_answer != walk.answer
                for doc_id in gold
            )
        )
    return num_kept, time.perf_counter() - begin


def linked(corpus: Corpus, rng: Random) -> list[str]:
    """Return documents reached from one over the names they share."""
    by_subject = {fact.subject: doc_id for doc_id, (_, facts) in corpus.items() for fact in facts}
    chosen = [rng.choice(sorted(corpus))]
    for doc_id in chosen:
        for fact in corpus[doc_id][1]:
            other = by_subject.get(fact.value)
            if other is not None and other not in chosen and len(chosen) < CONTEXT_DOCUMENTS:
                chosen.append(other)
    return chosen


def all_families(corpus: Corpus, rng: Random) -> tuple[int, int, float]:
    """Return drafts, checked drafts and seconds over small contexts."""
    begin = time.perf_counter()
    num_drafts = num_kept = 0
    for _ in range(NUM_CONTEXTS):
        chosen = linked(corpus, rng)
        documents = {doc_id: corpus[doc_id][0] for doc_id in chosen}
        world = World({doc_id: corpus[doc_id][1] for doc_id in chosen})
        drafts = generate(Setting(world=world, documents=documents), Random(rng.random()))
        for draft in islice(drafts, DRAFTS_PER_CONTEXT):
            num_drafts += 1
            num_kept += isinstance(check_draft(draft, world, documents), Checked)
    return num_drafts, num_kept, time.perf_counter() - begin


def main() -> None:
    """Measure, print, and write the result if asked."""
    given = [argument for argument in sys.argv[1:] if argument != "--write"]
    corpus = read_corpus(Path(given[0]) if given else FOLDER)
    if not corpus:
        sys.exit(f"no documents in {given[0] if given else FOLDER}: give a folder")
    rng = Random(0)
    world = World({doc_id: facts for doc_id, (_, facts) in corpus.items()})
    scene, walks, seconds = sampled(world, rng)
    kept, verify_seconds = num_verified(scene, walks[:NUM_VERIFIED], rng)
    num_drafts, num_kept, draft_seconds = all_families(corpus, rng)
    result = {
        "documents": len(corpus),
        "facts": len(world.facts),
        "walks": NUM_WALKS,
        "distinct_programs": len(walks),
        "sampled_per_second": round(len(walks) / seconds),
        "verified_fraction": round(kept / len(walks[:NUM_VERIFIED]), 3),
        "verified_per_second": round(kept / verify_seconds),
        "family_drafts": num_drafts,
        "family_drafts_kept": num_kept,
        "family_kept_per_second": round(num_kept / draft_seconds),
        "command": "python benchmarks/bench_multi_hop.py --write",
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core",
        "date": datetime.now(UTC).date().isoformat(),
    }
    for name, figure in result.items():
        print(f"{name:<24} {figure}")
    if "--write" in sys.argv:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
