"""The check in a real browser: it passes a good report and catches each fault that it is there to catch."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import check_report
from scripts.check_report import NAMES, View, look, open_browser

from headstart.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
PHONE = View("phone", 375)

HEAD = "<!DOCTYPE html><title>x</title><link rel=icon href='data:,'><meta name='viewport' content='width=device-width'>"
TEXT = "<p>" + "words in many shades of grey " * 20 + "</p>"
FAULTS = {
    "console error: boom": f"{TEXT}<script>console.error('boom')</script>",
    "exception: Uncaught": f"{TEXT}<script>throw new Error('boom')</script>",
    "the page asks for http://127.0.0.1:9/": f"{TEXT}<img src='http://127.0.0.1:9/a.png'>",
    "Refused to load|violates the following Content Security Policy": (
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
        f"{TEXT}<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"
    ),
    "px wide on a screen of 375 px": f"{TEXT}<div style='width: 900px'>wide</div>",
    "opened, the page is": f"{TEXT}<details><summary>more</summary><div style='width: 900px'>wide</div></details>",
    "the picture is blank": "<p></p>",
}


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, check_report.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment or None)


@pytest.fixture(scope="module")
def browser() -> Iterator[check_report.Browser]:
    assert CHROMIUM
    with open_browser(CHROMIUM) as opened:
        yield opened


@in_a_browser
def test_a_report_passes_in_every_view_and_leaves_its_pictures(ranking, tmp_path):
    page = write_report(ranking, tmp_path / "report.html")
    done = run(page, "--out", tmp_path / "shots", "--require")
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem for path in (tmp_path / "shots").iterdir()} == {view.name for view in check_report.VIEWS}


@in_a_browser
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(browser, tmp_path, fault):
    page = tmp_path / "page.html"
    page.write_text(HEAD + FAULTS[fault])
    found, _ = look(browser, page, PHONE)
    assert found
    assert any(words in line for line in found for words in fault.split("|")), found


@in_a_browser
def test_a_page_without_faults_passes(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(HEAD + TEXT)
    assert look(browser, page, PHONE)[0] == []


@in_a_browser
def test_every_page_of_a_site_is_checked_and_its_search(browser, tmp_path, monkeypatch):
    results = "<ol id='search-results'><li><a href='index.html'>transfer</a></ol>"
    for name, body in {
        "index": "<img src='a.svg'>",
        "sub/bad": FAULTS["console error: boom"],
        "search": results,
    }.items():
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").write_text(HEAD + TEXT + body)
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert list(check_report._others(browser, tmp_path)) == ["sub/bad.html: console error: boom"]
    (tmp_path / "search.html").write_text(HEAD + TEXT)
    monkeypatch.setattr(check_report, "PATIENCE", 3.0)
    assert "the search does not find 'transfer'" in list(check_report._others(browser, tmp_path))


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--require",), 2)])
def test_without_chromium_the_check_says_so_and_fails_only_if_it_is_required(ranking, tmp_path, arguments, code):
    page = write_report(ranking, tmp_path / "report.html")
    done = run(page, *arguments, PATH=str(tmp_path))
    assert done.returncode == code
    assert "Chromium is not installed" in done.stderr


def test_a_missing_report_is_named_with_the_next_step(tmp_path):
    done = run(tmp_path / "none.html")
    assert done.returncode == 2
    assert "`headstart rank ... --report FILE` or `make docs` writes one" in done.stderr
