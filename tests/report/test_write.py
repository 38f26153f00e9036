import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.report import results_markdown, write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def page_of(run: Path) -> str:
    return write_report(run).read_text("utf-8")


def plain_text(page: str) -> str:
    body = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def embedded(page: str, element_id: str) -> dict:
    match = re.search(rf'id="{element_id}">(.*?)</script>', page, flags=re.DOTALL)
    assert match
    return json.loads(match.group(1))


def test_page_shows_the_figures_of_the_run(small_run: Path) -> None:
    path = write_report(small_run)
    assert path == small_run / "report.html"
    text = plain_text(path.read_text("utf-8"))
    assert "tiny-cpu" in text
    assert "seed 7" in text
    assert "threads 2" in text
    assert "Optimizer steps 6" in text
    assert "21 % \N{RIGHTWARDS ARROW} 54%".replace(" %", "%") in text
    for windows, percent in ((4, 50), (8, 100)):
        title = f"Agent, {windows} windows 0%"
        assert f"{title} \N{RIGHTWARDS ARROW} {percent}%" in text
        assert f"Agent, {windows} windows" in text  # the picture
    assert "+33.3" in text
    assert "longloom run run.yaml" in text
    for stage in ("stage-1", "memory"):
        assert stage in text


def test_page_is_the_same_when_written_again(small_run: Path) -> None:
    assert page_of(small_run) == page_of(small_run)


def test_page_refers_to_nothing_outside_itself(small_run: Path) -> None:
    page = page_of(small_run)
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    without_payload = page.replace(json.dumps(embedded(page, "rollouts-json")), "")
    tags = re.findall(r"<[a-z][^>]*>", without_payload)
    assert [tag for tag in tags if re.search(r"\s(src|href)=", tag)] == [
        '<link rel="icon" href="data:,">',
        *(
            f'<a href="#{name}">'
            for name in ("results", "long", "training", "rollouts", "reproduce")
        ),
    ]
    assert "url(" not in page
    assert "@import" not in page


def test_hostile_text_stays_text(small_run: Path, hostile_text: str) -> None:
    page = page_of(small_run)
    assert "<img" not in page
    assert "document.title" in page  # it is there, inside the JSON
    assert page.count("<script") == page.count("</script>") == 3
    groups = embedded(page, "rollouts-json")["groups"]
    assert hostile_text in groups[0]["question"]
    assert ["evidence", hostile_text[:13]] in groups[0]["document"]


def test_hostile_names_are_escaped(small_run: Path, cell_maker) -> None:
    run_file = small_run / "run.yaml"
    run_file.write_text(run_file.read_text().replace("recipe: tiny-cpu", "recipe: '<b>x</b>'"))
    page = page_of(small_run)
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_rollouts_show_evidence_memory_and_order(small_run: Path) -> None:
    groups = embedded(page_of(small_run), "rollouts-json")["groups"]
    assert [(group["stage"], group["step"]) for group in groups] == [("stage-1", 1), ("memory", 6)]
    update, answer = groups[1]["rollouts"][0]["turns"]
    assert update["memory"] == "module dict builtins"
    assert update["plan"] == "the base"
    assert answer["text"] == "Therefore, the answer is builtins"
    assert groups[1]["sections"] == ["module dict builtins"]


@pytest.mark.parametrize(
    ("removed", "sentence"),
    [
        ("evaluation", "No checkpoint has been evaluated yet."),
        ("evaluation", "No long documents have been evaluated yet."),
        ("metrics.jsonl", "No training step has been logged yet."),
        ("run.yaml", "There is no run.yaml in this folder"),
    ],
)
def test_partial_run_says_what_is_missing(small_run: Path, removed: str, sentence: str) -> None:
    path = small_run / removed
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert sentence in plain_text(page_of(small_run))


def test_empty_folder_gives_a_page(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert "have not been evaluated yet" in plain_text(page)
    assert embedded(page, "rollouts-json")["groups"] == []
    assert results_markdown(tmp_path).endswith("\n")


def test_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; pass the folder of a run"):
        write_report(tmp_path / "none")


@pytest.mark.parametrize(
    "damaged",
    ["run.yaml", "metrics.jsonl", "rollouts.jsonl", "evaluation/base--stage-1--single_pass.json"],
)
def test_damaged_file_is_named_and_the_old_page_stays(small_run: Path, damaged: str) -> None:
    before = page_of(small_run)
    (small_run / damaged).write_text("{broken\n")
    with pytest.raises(DataError, match=Path(damaged).name):
        write_report(small_run)
    assert (small_run / "report.html").read_text("utf-8") == before
    assert [path.name for path in small_run.glob(".*partial")] == []


def test_markdown_holds_the_tables(small_run: Path) -> None:
    lines = results_markdown(small_run).splitlines()
    assert "Recipe `tiny-cpu`, seed 7, 2 threads" in lines[0]
    (base,) = [line for line in lines if line.startswith("| base | - | 25")]
    fields = [field.strip() for field in base.strip("|").split("|")]
    assert fields[2].startswith("25.0 (")
    assert fields[9].startswith("0.0 (")
    (stage_3,) = [line for line in lines if line.startswith("| stage-3 | - | **75")]
    assert "**75.0** (" in stage_3
    (hop,) = [line for line in lines if line.startswith("| Multi-hop | +")]
    assert hop.split("|")[2].strip().startswith("+50.0 (0.0 to +100.0)")
    assert "**Did not improve**" in lines
    for line in lines:
        assert not line.startswith("| ") or line.endswith(" |")


@pytest.mark.slow
def test_page_opens_in_a_browser_without_console_errors(small_run: Path, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    path = write_report(small_run)
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    flags += " --disable-background-networking --disable-component-update --enable-logging=stderr"
    command = [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    opened = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "CONSOLE" not in opened.stderr
    assert "<title>tiny-cpu - Longloom report</title>" in opened.stdout
    assert opened.stdout.count('class="attempt') >= 1  # the script ran
    assert "<mark" in opened.stdout
    assert "<img" not in re.sub(r"<script\b.*?</script>", "", opened.stdout, flags=re.DOTALL)
