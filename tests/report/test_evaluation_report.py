"""The page of an evaluation: its figures, the papers beside them, hostile text, other folders."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from evaluation_folder import benchmark, evaluation, question, scored, write_evaluation
from longloom.errors import DataError
from longloom.evaluation.questions import Asked
from longloom.evaluation.results import RESULTS_FILE, SCORES_FILE
from longloom.evaluation.summary import Figures
from longloom.report import evaluation_markdown, holds_evaluation, write_evaluation_report
from longloom.report.evaluation_tables import facet_rows

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>&\ud800"


def plain_text(page: str) -> str:
    body = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def page_of(folder: Path, **arguments: object) -> str:
    return write_evaluation_report(folder, **arguments).read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an evaluation of three benchmarks, four questions each."""
    frames = [
        question(
            number,
            scored(
                float(number > 1),
                parity=float(number > 0),
                parts={"exact_match": 0.0, "judge": float(number > 1)},
                extracted=f"answer {number}",
                verdict="yes" if number > 1 else "no",
            ),
            facets={"reasoning": "numerical" if number < 2 else "temporal"},
            num_prompt_tokens=5_000 + 10_000 * number,
        )
        for number in range(4)
    ]
    mrcr = [
        question(
            number,
            scored(score, failure="empty_answer" if number == 0 else ""),
            facets={"needles": str(2**number)},
            depths=(depth,),
            num_prompt_tokens=tokens,
        )
        for number, (score, depth, tokens) in enumerate(
            [(0.0, 0.05, 3_000), (1.0, 0.05, 20_000), (0.5, 0.95, 3_000), (0.5, 0.95, 20_000)]
        )
    ]
    aime = [question(number, 1, 0, 0, 0) for number in range(4)]
    return write_evaluation(
        tmp_path / "run",
        evaluation(
            benchmark(frames, "frames", facets=("reasoning",), is_lower_bound=True),
            benchmark(mrcr, "mrcr", facets=("needles",), num_official=2_400),
            benchmark(aime, "aime24"),
        ),
    )


def test_page_shows_both_modes_the_mean_and_failures(folder: Path) -> None:
    assert write_evaluation_report(folder) == folder / "report.html"
    text = plain_text(page_of(folder))
    assert "model-a" in text
    # strict 2 of 4, parity 3 of 4: the difference is 25 points, over one answer.
    assert re.search(
        r"FRAMES max\(.*?\) lower bound: no judge 50\.0 .* 75\.0 .* .25\.0 1 answer 4", text
    )
    # (0 + 1 + 0.5 + 0.5) / 4, of 2,400 official questions, one failed.
    assert re.search(r"MRCR .*? 50\.0 \S+ 50\.0 \S+ none 4 of 2,400 1 0 0", text)
    assert "mean of 4 25.0" in text  # AIME: 1 of 4 samples
    assert re.search(r"Mean of 3 benchmarks alike, as in the papers 41\.7 .* 50\.0", text)
    assert "The suite also has docmath, longbench-v2, corpusqa, longbench-v1-qa" in text
    assert "Those figures are lower bounds" in text
    assert "Empty answer 1" in text
    assert "pass@4 100.0" in text
    assert "Exact match 0.0 Judge 50.0" in text


def test_page_stands_beside_the_papers(folder: Path) -> None:
    text = plain_text(page_of(folder))
    assert "QwenLong-L1.5-30B-A3B QwenLong-L1.5, Table 7" in text
    assert "model-a (strict) this evaluation 50.00 50.00 25.00 41.67" in text
    assert "model-a (parity) this evaluation 75.00" in text
    assert re.search(r"best published of each column 84\.59 GPT-5 82\.99", text)
    assert "asked with 120K tokens in" in text  # a note on QwenLong-L1's column
    own_sets = write_evaluation(
        folder.parent / "own", evaluation(benchmark([question(0, 1)], "my-questions"))
    )
    assert "Beside the papers" not in plain_text(page_of(own_sets))


def test_pictures_have_the_counts_of_their_bins(folder: Path) -> None:
    page = page_of(folder)
    assert "4K-8K: 0.0%" in page  # 5,000 tokens, wrong
    assert "16K-32K: 75.0%" in page  # two of MRCR: 1 and 0.5
    assert page.count('class="chart shares"') == 3  # lengths of two, depths of one
    heat = re.search(r'<table class="heat">.*?</table>', page, flags=re.DOTALL)
    assert heat
    cells = re.findall(r'title="(\S+) tokens, depth (\S+): (\S+)% strict', heat.group())
    assert set(cells) == {
        ("2K-4K", "0-10%", "0.0"),
        ("2K-4K", "90-100%", "50.0"),
        ("16K-32K", "0-10%", "100.0"),
        ("16K-32K", "90-100%", "50.0"),
    }


def test_page_refers_to_nothing_outside_its_folder(folder: Path) -> None:
    write_evaluation_report(folder)
    pages = [folder / "report.html", *(folder / "wrong_answers").iterdir()]
    for path in pages:
        page = path.read_text("utf-8")
        assert "http" not in re.sub(r"<meta http-equiv=", "", page)
        assert "default-src 'none'" in page
        for link in re.findall(r'href="([^"#]*)(?:#[^"]*)?"', page):
            if link and link != "data:,":
                assert (path.parent / link).is_file(), link


def test_page_is_the_same_when_written_again(folder: Path) -> None:
    assert page_of(folder) == page_of(folder)


def test_hostile_text_is_escaped_everywhere(tmp_path: Path) -> None:
    hostile = benchmark(
        [
            question(
                HOSTILE,
                scored(0.0, extracted=HOSTILE, parts={HOSTILE: 0.5}, failure="", verdict=HOSTILE),
                scored(0.0, failure=HOSTILE),
                golds=(HOSTILE,),
                facets={HOSTILE: HOSTILE},
            ),
            question(1, 1, 1, facets={HOSTILE: "other"}),
        ],
        HOSTILE,
        title=HOSTILE,
        measure=HOSTILE,
        facets=(HOSTILE,),
        notes=(HOSTILE,),
        judge=HOSTILE,
        source={HOSTILE: HOSTILE},
    )
    results = evaluation(
        hostile, model=HOSTILE, agent=HOSTILE, suite=HOSTILE, settings={HOSTILE: HOSTILE}
    )
    folder = write_evaluation(tmp_path / "run", results, {(HOSTILE, HOSTILE): HOSTILE})
    write_evaluation_report(
        folder, lambda *_: Asked(context=f"a {HOSTILE} b", query=HOSTILE, evidence=((1, 30),))
    )
    pages = [folder / "report.html", *(folder / "wrong_answers").iterdir()]
    assert len(pages) == 3
    for path in pages:
        page = path.read_text("utf-8")
        assert "<img" not in page
        assert "<script>document" not in page
        assert page.count("</script>") == page.count("<script")
        assert path.resolve().is_relative_to(folder.resolve())


def test_facets_come_in_their_own_order() -> None:
    def names(**counts: int) -> list[str]:
        figures = {
            name.replace("_", " "): Figures(num_questions=number, parity=0.5, strict=0.5)
            for name, number in counts.items()
        }
        return [row.name for row in facet_rows(figures)]

    assert names(hard=9, easy=1, medium=5) == ["easy", "medium", "hard"]
    assert names(long=9, short=1) == ["short", "long"]
    assert names(needles_8=9, needles_16=1, needles_2=4) == ["needles 2", "needles 8", "needles 16"]
    assert names(law=2, art=7, code=7) == ["art", "code", "law"]


def test_benchmarks_without_a_question_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    asked = evaluation(benchmark([question(0, 1)]))
    write_evaluation(folder, asked)
    content = json.loads((folder / RESULTS_FILE).read_text("utf-8"))
    content["benchmarks"].append({**content["benchmarks"][0], "name": "mrcr", "num_questions": 0})
    (folder / RESULTS_FILE).write_text(json.dumps(content))
    assert "No question was asked of mrcr." in plain_text(page_of(folder))
    (folder / SCORES_FILE).write_text((folder / SCORES_FILE).read_text().split("\n")[0] + "\n")
    with pytest.raises(DataError, match=r"scores\.jsonl has 0 questions of frames, not 1"):
        write_evaluation_report(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run / RESULTS_FILE).unlink(), "no finished evaluation"),
        (lambda run: (run / RESULTS_FILE).write_text("{"), "no finished evaluation"),
        (
            lambda run: (run / RESULTS_FILE).write_text('{"schema": "x", "version": 1}'),
            "schema 'x'",
        ),
        (lambda run: replace_in(run / SCORES_FILE, '"strict": 1.0', '"strict": 7.0'), "damaged"),
        (lambda run: replace_in(run / SCORES_FILE, '"strict": 1.0', '"strict": "x"'), "damaged"),
        (lambda run: replace_in(run / SCORES_FILE, '"parity"', '"pa"'), "damaged"),
        (lambda run: replace_in(run / "answers.jsonl", '"text"', '"txt"'), "answers.jsonl is no"),
    ],
)
def test_damaged_folders_are_refused_and_the_old_page_stays(folder: Path, change, message) -> None:
    before = page_of(folder)
    change(folder)
    with pytest.raises(DataError, match=message):
        write_evaluation_report(folder)
    assert (folder / "report.html").read_text("utf-8") == before


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def test_markdown_holds_the_figures(folder: Path) -> None:
    lines = evaluation_markdown(folder).splitlines()
    (row,) = [line for line in lines if line.startswith("| FRAMES")]
    fields = [field.strip() for field in row.strip("|").split("|")]
    assert fields[0] == "FRAMES (lower bound: no judge)"
    assert fields[1] == "4"
    assert fields[2].startswith("50.0 (")
    assert fields[3:] == ["75.0", "\N{MINUS SIGN}25.0", "0", "0"]
    assert "| QwenLong-L1.5-30B-A3B | 74.76 | 82.99 | 90.00 |" in lines
    assert holds_evaluation(folder)
    assert not holds_evaluation(folder.parent)


@pytest.mark.slow
def test_pages_open_in_a_browser_without_console_errors(folder: Path, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    report = write_evaluation_report(folder)
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    flags += " --disable-background-networking --disable-component-update --enable-logging=stderr"
    command = [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    opened = {}
    for name, address in (
        ("report", report.as_uri()),
        ("list", (folder / "wrong_answers" / "frames.html").as_uri() + "#reasoning=numerical"),
    ):
        shown = subprocess.run(
            [*command, address], capture_output=True, text=True, timeout=120, check=True
        )
        assert "CONSOLE" not in shown.stderr
        opened[name] = shown.stdout
    assert "<title>model-a - Longloom evaluation</title>" in opened["report"]
    assert "2 of 2 questions" in plain_text(opened["list"])
    assert "frames--1.html#q1" in opened["list"]  # the script ran
