"""Open a report, or every page of a site, in headless Chromium and fail unless it shows as it should.

    python scripts/check_report.py run/report.html [--out screenshots/] [--require]
    python scripts/check_report.py build/docs --require

The page is opened at desktop and at phone width, light, dark and in print. Each time there must be no console message,
no request to the network, no sideways scrolling and a picture that is not blank. Of a site, the first page is opened
like this and every other one on a dark phone, and its search must find a word. Chromium is driven over its DevTools
pipe, so nothing but the standard library and Pillow is needed.

Exit codes: 0 all is well (or Chromium is absent and --require was not given), 1 the page fails, 2 the file or Chromium
is missing.
"""

import argparse
import base64
import fcntl
import io
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0  # seconds for one answer of the browser: a loaded machine starts it slowly
FEWEST_COLOURS = 16  # text alone brings dozens of shades; a blank page has one
TALLEST = 16_000  # pixels: beyond it Chromium cannot take one picture
SOUGHT = "transfer"  # the word that a site's search must find
FOUND = "document.querySelectorAll('#search-results li a').length"


@dataclass(frozen=True)
class View:
    """One way of looking at the page."""

    name: str
    width: int
    scheme: str = "light"
    medium: str = "screen"


VIEWS = (
    View("desktop-light", 1280),
    View("desktop-dark", 1280, "dark"),
    View("phone-light", 375),
    View("phone-dark", 375, "dark"),
    View("narrow-phone", 320),
    View("print", 794, medium="print"),
)


class BrowserError(Exception):
    """Chromium did not start, did not answer or refused a command."""


class Browser:
    """One page of one Chromium, spoken to over its DevTools pipe."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    def attach(self) -> None:
        """Open an empty page and listen to all that it says."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come meanwhile are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        _write_all(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def wait_for(self, event: str) -> None:
        """Read on until the page has said `event`."""
        while not any(e["method"] == event for e in self.events):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(deadline - time.monotonic(), 0))
            chunk = os.read(self._from, 1 << 16) if ready else b""
            if not chunk:
                raise BrowserError(
                    "Chromium ended early." if ready else f"Chromium gave no answer in {PATIENCE:.0f} s."
                )
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def open_browser(executable: str) -> Iterator[Browser]:
    """A fresh Chromium with a profile of its own; ended and cleared away afterwards.

    Raises:
        BrowserError: It does not start.
    """
    with tempfile.TemporaryDirectory(prefix="check-report-", ignore_cleanup_errors=True) as profile:
        (command_end, to_browser), (from_browser, answer_end) = (map(_high, os.pipe()) for _ in range(2))
        actions = [
            (os.POSIX_SPAWN_DUP2, command_end, 3),  # where Chromium reads commands
            (os.POSIX_SPAWN_DUP2, answer_end, 4),  # where it writes answers
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        arguments = [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = os.posix_spawn(executable, arguments, os.environ, file_actions=actions, setpgroup=0)
        os.close(command_end)
        os.close(answer_end)
        try:
            browser = Browser(to_browser, from_browser)
            browser.attach()
            yield browser
        except BrokenPipeError as error:
            raise BrowserError("Chromium ended early.") from error
        finally:
            os.close(to_browser)
            os.close(from_browser)
            os.killpg(process, signal.SIGKILL)  # its own group: the browser and its helpers, nothing else
            os.waitpid(process, 0)


def look(browser: Browser, page: Path, view: View, site: Path | None = None) -> tuple[list[str], Image.Image]:
    """What is wrong with the page in one view (nothing, one hopes), and its picture."""
    _show(browser, page.resolve().as_uri(), view)
    height = min(int(browser.call("Page.getLayoutMetrics")["cssContentSize"]["height"]) + 1, TALLEST)
    clip = {"x": 0, "y": 0, "width": view.width, "height": height, "scale": 1}
    shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    faults = [*_seen(browser, site or page, view), *_blank(picture)]
    return [f"{view.name}: {fault}" for fault in faults], picture


def _show(browser: Browser, url: str, view: View) -> None:
    """Open an address and wait until it has loaded."""
    browser.events.clear()
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=view.width, height=900, deviceScaleFactor=1, mobile=view.width < 600
    )
    scheme = [{"name": "prefers-color-scheme", "value": view.scheme}]
    browser.call("Emulation.setEmulatedMedia", media=view.medium, features=scheme)
    browser.call("Page.navigate", url=url)
    browser.wait_for("Page.loadEventFired")


def _seen(browser: Browser, allowed: Path, view: View) -> Iterator[str]:
    yield from _said(browser.events)
    yield from _fetched(browser.events, allowed)
    yield from _overflow(browser, view)


def _said(events: list[dict[str, Any]]) -> Iterator[str]:
    """Console messages, uncaught exceptions and the browser's own complaints (a refused script, a missing file)."""
    for event in events:
        parameters = event["params"]
        if event["method"] == "Runtime.consoleAPICalled":
            text = " ".join(str(a.get("value", a.get("description", ""))) for a in parameters["args"])
            yield f"console {parameters['type']}: {text}"
        elif event["method"] == "Runtime.exceptionThrown":
            yield f"exception: {parameters['exceptionDetails']['text']}"
        elif event["method"] == "Log.entryAdded":
            yield f"browser {parameters['entry']['level']}: {parameters['entry']['text']}"


def _fetched(events: list[dict[str, Any]], allowed: Path) -> Iterator[str]:
    """Requests for anything but the page itself, or the files of its site, and what they carry."""
    home = allowed.resolve().as_uri()
    for event in events:
        if event["method"] == "Network.requestWillBeSent":
            url = event["params"]["request"]["url"]
            inside = allowed.is_dir() and url.startswith(home + "/")
            if not url.startswith(("data:", "about:")) and url != home and not inside:
                yield f"the page asks for {url}"


def _overflow(browser: Browser, view: View) -> Iterator[str]:
    """A page wider than the screen makes a reader scroll sideways, folded as it stands or opened."""
    unfold = "document.querySelectorAll('details').forEach(folded => { folded.open = true; });"
    for state, prepare in (("the page", ""), ("opened, the page", unfold)):
        expression = f"{prepare} document.documentElement.scrollWidth"
        width = browser.call("Runtime.evaluate", expression=expression)["result"]["value"]
        if width > view.width:
            yield f"{state} is {width} px wide on a screen of {view.width} px"
            return


def _blank(picture: Image.Image) -> Iterator[str]:
    colours = picture.getcolors(maxcolors=FEWEST_COLOURS)
    if colours is not None:  # None: there are more
        yield f"the picture is blank or nearly so ({len(colours)} colours)"


def check(page: Path, executable: str, out: Path | None = None) -> list[str]:
    """Look at the page, or the first page of a site, in every view and at a site's other pages in one; return what is
    wrong, and leave the pictures in `out`."""
    faults: list[str] = []
    site = page if page.is_dir() else None
    with open_browser(executable) as browser:
        for view in VIEWS:
            found, picture = look(browser, page / "index.html" if site else page, view, site)
            faults += found
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                picture.save(out / f"{view.name}.png")
        if site is not None:
            faults += _others(browser, site)
    return faults


def _others(browser: Browser, site: Path) -> Iterator[str]:
    """What is wrong with the pages of a site on a dark phone, and with its search."""
    phone = VIEWS[3]
    for page in sorted(site.rglob("*.html")):
        _show(browser, page.resolve().as_uri(), phone)
        yield from (f"{page.relative_to(site)}: {fault}" for fault in _seen(browser, site, phone))
    _show(browser, f"{(site / 'search.html').resolve().as_uri()}?q={SOUGHT}", phone)
    until = time.monotonic() + PATIENCE / 6
    while not browser.call("Runtime.evaluate", expression=FOUND)["result"]["value"]:
        if time.monotonic() > until:
            yield f"the search does not find {SOUGHT!r}"
            break
        time.sleep(0.1)
    yield from (f"search: {fault}" for fault in _seen(browser, site, phone))


def _high(descriptor: int) -> int:
    """The same pipe end under a number above 9, so that 3 and 4 are free in the child; closed on exec."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("page", type=Path, help="the report, or the folder of the site, to check")
    parser.add_argument("--out", type=Path, help="folder for the screenshots")
    parser.add_argument("--require", action="store_true", help="fail where Chromium is not installed")
    options = parser.parse_args()
    first = options.page / "index.html" if options.page.is_dir() else options.page
    if not first.is_file():
        print(f"no page at {first}; `headstart rank ... --report FILE` or `make docs` writes one.", file=sys.stderr)
        return 2
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        print("report not checked: Chromium is not installed (Debian: `apt-get install chromium`).", file=sys.stderr)
        return 2 if options.require else 0
    try:
        faults = check(options.page, executable, options.out)
    except BrowserError as error:
        print(f"report not checked: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{options.page}: {len(faults)} faults" if faults else f"{options.page}: fine in {len(VIEWS)} views")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
