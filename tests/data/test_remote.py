"""URLs wherever a path of data is taken: memory, this machine, HTTP on the loopback address, inside a zip."""

import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.conftest import encode
from typer.testing import CliRunner

import headstart as hs
from headstart.cli import app
from headstart.data import open_target, open_unlabelled
from headstart.data.remote import local
from headstart.errors import MissingExtra, OfflineError, TargetError
from headstart.wording import without_secrets

fsspec = pytest.importorskip("fsspec")

TABLE = b"text,label\ngood,yes\nbad,no\nfine,yes\ndull,no\n"
FILES = {f"{name}/{number}.png": encode((number * 9, len(name), 3)) for name in ("cat", "horse") for number in range(4)}


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """An HTTP server on the loopback address, its folder, and the paths that were asked for."""
    asked: list[str] = []

    class Quiet(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/cut"):
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"text,label\n")
                return
            super().do_GET()

        def log_message(self, *arguments: object) -> None: ...

    (tmp_path / "www").mkdir()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www")))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}", tmp_path / "www", asked
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, image in FILES.items():
            archive.writestr(name, image)
    return content.getvalue()


def test_tables_and_folders_in_memory_are_read_as_from_disk(memory: Any, tmp_path: Path) -> None:
    memory.pipe({"/box/reviews.csv": TABLE, **{f"/box/photos/{name}": image for name, image in FILES.items()}})
    target = open_target("memory://box/reviews.csv")
    assert (target.name, target.classes, target.labels.tolist()) == ("reviews", ("no", "yes"), [1, 0, 1, 0])
    photos = open_target("memory://box/photos")
    for name, image in FILES.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(image)
    here = open_target(tmp_path / "photos")
    assert (photos.name, photos.ids, photos.classes) == (here.name, here.ids, here.classes)
    assert [photos.examples.digest(i) for i in range(8)] == [here.examples.digest(i) for i in range(8)]
    assert open_target((tmp_path / "photos").as_uri()).ids == here.ids
    assert local((tmp_path / "photos").as_uri()) == tmp_path / "photos"  # not copied
    memory.pipe("/box/all.zip", zipped())
    assert open_target("zip::memory://box/all.zip").ids == here.ids
    assert open_unlabelled("memory://box/photos/cat", "image").ids == ("0.png", "1.png", "2.png", "3.png")


def test_what_changed_behind_a_url_is_read_again(memory: Any) -> None:
    memory.pipe("/x.csv", TABLE)
    assert len(open_target("memory://x.csv")) == 4
    memory.pipe("/x.csv", TABLE + b"more,yes\n")
    assert len(open_target("memory://x.csv")) == 5


def test_http_and_the_commands(server: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    address, folder, asked = server
    (folder / "photos.zip").write_bytes(zipped())
    (folder / "reviews.csv").write_bytes(TABLE)
    assert len(open_target(f"{address}/reviews.csv?token=abc")) == 4
    secret = f"{address}/photos.zip?signature=abcdef"
    ranking = hs.rank(secret, models=["zoo/tiny_letters"], scores="logme", cache=False, out=tmp_path / "ranking")
    assert (ranking.target.name, ranking.target.n) == ("photos", 8)
    assert address in ranking.provenance.command
    assert not any(b"abcdef" in file.read_bytes() for file in (tmp_path / "ranking").iterdir())
    run = hs.transfer(f"{address}/photos.zip", model="zoo/tiny_letters", method="head", cache=None)
    folder_of_run = run.save(tmp_path / "run")
    arguments = ["predict", str(folder_of_run), f"{address}/photos.zip"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "cat/0.png" in result.stdout
    arguments = ["rank", f"{address}/photos.zip", "--models", "zoo/tiny_letters", "--scores", "logme", "--no-cache"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert len(asked) > 3


def test_arrays_behind_urls_are_ranked(memory: Any) -> None:
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        content = io.BytesIO()
        np.savez(content, features=rng.normal(size=(30, 4)), labels=np.arange(30) % 3)
        memory.pipe(f"/{name}.npz", content.getvalue())
    ranking = hs.rank(["memory://one.npz", "memory://two.npz"], scores="logme")
    assert {row.source for row in ranking.rows} == {"one", "two"}


def test_faults_of_urls_are_sentences_without_secrets(server: tuple[str, Path, list[str]], memory: Any) -> None:
    address, _, _ = server
    with pytest.raises(OfflineError, match=r"nothing.csv cannot be read: HTTP Error 404"):
        open_target(f"{address}/nothing.csv")
    with pytest.raises(OfflineError, match=r"cut.csv ended after 11 of 100 bytes|cut.csv cannot be read"):
        open_target(f"{address}/cut.csv")
    with pytest.raises(TargetError, match=r"memory://nowhere.csv does not exist"):
        open_target("memory://nowhere.csv")
    with pytest.raises((MissingExtra, OfflineError), match=r"s3://bucket/x.csv") as caught:
        open_target("s3://user:key@bucket/x.csv")
    assert "key" not in str(caught.value)
    with pytest.raises(OfflineError, match=r"nosuch://x"):
        open_target("nosuch://x")
    memory.pipe("/empty.csv", b"text,label\n")
    with pytest.raises(TargetError, match=r"^memory://empty.csv has no rows"):
        open_target("memory://empty.csv")
    assert without_secrets("rank s3://me:key@box/a?sig=x --limit 5") == "rank s3://box/a --limit 5"
