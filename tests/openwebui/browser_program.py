"""Uploads a file and asks about it in Open WebUI's page, in a real browser, and looks at it.

It runs in Open WebUI's own environment, which has the browser's driver. One line of JSON on
standard input: `url`, `chromium`, `file`, `question`, `expected` (words of the answer), `picture`
(a PNG to write). On standard output one line of JSON: the text of the page when the answer is
there and its thinking and its sources are unfolded, and the errors of the page's scripts.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Response, TimeoutError, sync_playwright

_WIDTH, _HEIGHT = 1280, 900
_MILLISECONDS = 120_000
_MOST_SENDS = 10
_THOUGHT = re.compile(r"Thought for")
_SOURCES = re.compile(r"\d+ Sources?")


def _open(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("#chat-input", timeout=_MILLISECONDS)
    page.add_style_tag(content="*{animation:none!important;transition:none!important}")
    news = page.get_by_role("button", name="Okay, Let's Go!")
    if news.count():
        news.first.click()


def _upload(page: Page, path: str) -> None:
    chosen = page.locator("input[type=file]:not([webkitdirectory])").first
    with page.expect_response(_is_taken_in, timeout=_MILLISECONDS) as taken_in:
        chosen.set_input_files(path)
    taken_in.value.finished()
    page.get_by_text(Path(path).name).first.wait_for(timeout=_MILLISECONDS)


def _is_taken_in(response: Response) -> bool:
    return "/process/status" in response.url


def _send(page: Page, question: str) -> None:
    """Send a question; the page refuses as long as it believes that a file is on its way."""
    page.locator("#chat-input").click()
    page.keyboard.type(question)
    for _ in range(_MOST_SENDS):
        page.keyboard.press("Enter")
        try:
            return page.get_by_role("button", name="Stop").first.wait_for(timeout=5_000)
        except TimeoutError:
            if not page.locator("#chat-input").inner_text().strip():
                return None
    raise AssertionError("the question could not be sent")


def _ask(page: Page, asked: dict[str, Any]) -> str:
    """Upload, ask, wait for the answer; return the page's text with everything unfolded."""
    _open(page, asked["url"])
    _upload(page, asked["file"])
    _send(page, asked["question"])
    page.get_by_text(asked["expected"]).first.wait_for(timeout=_MILLISECONDS)
    page.get_by_text(_SOURCES).first.wait_for(timeout=_MILLISECONDS)
    page.get_by_text(_THOUGHT).first.click()
    page.get_by_text(_SOURCES).first.click()
    return page.locator("body").inner_text()


def main() -> dict[str, Any]:
    asked = json.loads(sys.stdin.readline())
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=asked["chromium"], args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            text = _ask(page, asked)
        finally:
            page.screenshot(path=asked["picture"])
        browser.close()
    return {"text": text, "complaints": complaints}


sys.stdout.write(json.dumps(main()) + "\n")
