"""A stand-in for the Hugging Face hub on the loopback address: the real library talks to it."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants

MAIN = "main"
REFUSED = {401: "RepoNotFound", 403: "GatedRepo", 404: "RepoNotFound"}


@dataclass
class StandIn:
    """Repositories by name and commit. `faults` holds, for a file or repository, what the next requests get instead.

    A fault is a status, or, for downloads only, a pair of a status and headers, or "cut": half of the content, then the
    connection ends.
    """

    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    faults: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    commits: list[dict[str, Any]] = field(default_factory=list)  # what was pushed
    wrong: set[str] = field(default_factory=set)  # files that are sent damaged, of the right size
    url: str = ""

    def add(self, repo: str, folder: Path) -> str:
        """Add a commit with the files of a folder; returns its hash. The last one is `main`."""
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return self.commit(repo, files)

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        name = hashlib.sha1(repr((repo, len(self.repos.get(repo, {})), sorted(files))).encode()).hexdigest()
        held = self.repos.setdefault(repo, {})
        held[name] = files
        return name

    def found(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commits = self.repos.get(repo, {})
        name = next(reversed(commits), "") if revision == MAIN else revision
        return (name, commits[name]) if name in commits else None

    def gets(self, file: str) -> list[str]:
        """The ranges of the downloads of a file; "" is the whole."""
        return [span for method, path, span in self.requests if method == "GET" and path.endswith(file)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, hub = unquote(urlsplit(self.path).path), self.server.hub
        hub.requests.append(("POST", path, ""))
        repo = "/".join(path.split("/")[3:5])
        for name, waiting in hub.faults.items():
            if waiting and path.endswith(name):
                status = waiting.pop(0)
                return self.send(status, {"error": "a fault"}, {"X-Error-Code": REFUSED.get(status, "")})
        if path == "/api/repos/create":
            asked = json.loads(content)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            hub.repos.setdefault(name, {})
            self.send(200, {"url": f"{hub.url}/{name}", "id": name})
        elif "/preupload/" in path:
            files = json.loads(content)["files"]
            self.send(
                200, {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]}
            )
        elif "/commit/" in path:
            lines = [json.loads(line) for line in content.splitlines() if line.strip()]
            files = {
                one["value"]["path"]: base64.b64decode(one["value"]["content"]) for one in lines if one["key"] == "file"
            }
            hub.commits.append({"repo": repo, "files": files, **lines[0]["value"]})
            name = hub.commit(repo, files)
            self.send(200, {"commitUrl": f"{hub.url}/{repo}/commit/{name}", "commitOid": name, "success": True})
        else:
            self.send(200, {})
        return None

    def answer(self) -> None:
        path, hub = unquote(urlsplit(self.path).path), self.server.hub
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        for name, waiting in hub.faults.items():
            if waiting and path.endswith(name) and (self.command == "GET" or isinstance(waiting[0], int)):
                fault = waiting.pop(0)
                if fault == "cut":
                    return self.file(path, cut=True)
                status, more = fault if isinstance(fault, tuple) else (fault, {})
                return self.send(status, {"error": "a fault"}, {"X-Error-Code": REFUSED.get(status, ""), **more})
        if path.startswith("/api/models/"):
            return self.listing(path)
        return self.file(path) if "/resolve/" in path else self.send(200, {})

    def listing(self, path: str) -> None:
        parts = path.split("/")[3:]
        repo, tree = "/".join(parts[:2]), parts[2:3] == ["tree"]
        found = self.server.hub.found(repo, parts[3] if len(parts) > 3 else MAIN)
        if found is None:
            known = repo in self.server.hub.repos
            return self.send(404, {}, {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})
        name, files = found
        if tree:
            rows = [
                {"type": "file", "path": file, "size": len(held), "oid": _tag(file, held)}
                | ({"lfs": {"oid": _tag(file, held), "size": len(held), "pointerSize": 1}} if _large(file) else {})
                for file, held in files.items()
            ]
            return self.send(200, rows)
        return self.send(200, {"id": repo, "sha": name, "siblings": [{"rfilename": file} for file in files]})

    def file(self, path: str, *, cut: bool = False) -> None:
        repo, _, rest = path[1:].partition("/resolve/")
        revision, _, file = rest.partition("/")
        hub = self.server.hub
        found = hub.found(repo, revision)
        if found is None or file not in found[1]:
            why = "EntryNotFound" if found else "RevisionNotFound" if repo in hub.repos else "RepoNotFound"
            return self.send(404, {}, {"X-Error-Code": why})
        name, files = found
        content, tag = files[file], _tag(file, files[file])
        content = bytes(len(content)) if file in hub.wrong else content
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        sent = {
            "ETag": f'"{tag}"',
            "X-Repo-Commit": name,
            "Accept-Ranges": "bytes",
            "Content-Length": len(content) - start,
        }
        for key, value in sent.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[start : start + (len(content) - start) // 2] if cut else content[start:])
        if cut:
            self.close_connection = True
        return None

    def send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for key, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


def _large(file: str) -> bool:
    return file.endswith((".safetensors", ".bin"))


def _tag(file: str, content: bytes) -> str:
    """What the hub lists: SHA-256 of a large file, git's hash of a small one."""
    if _large(file):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(cache: Path) -> Iterator[StandIn]:
    """A hub that the library uses inside the block, with an empty cache."""
    hub = StandIn()
    server = _Server(hub)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub.url)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
        patch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HUB_CACHE", str(cache))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
