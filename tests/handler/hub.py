"""A stand-in for the Hugging Face Hub: the parts of its HTTP API that fetching and publishing need.

Large files are uploaded in parts with the Git LFS protocol, which the Hub also accepts, and not with Xet.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

import pytest

COMMIT = "a" * 40
PART_BYTES = 100_000
LARGE = (".onnx", ".safetensors")
REPO = r"([^/]+/[^/]+)"


@dataclass
class Hub:
    """The state of the hub.

    Attributes:
        files: The files of the branch `main`, by repository and path.
        commits: The files of each commit, by repository.
        tags: The commit of each tag, by repository.
        cut: After how many bytes the next longer download breaks off; None for never.
        starts: The first byte of each download.
        tokens: What each token may do: "write" or "read".
        storage: The uploaded content, by SHA-256.
        uploads: The SHA-256 of every upload, repeated uploads included.
        stuck: How many parts of uploads the hub accepts before it hangs and sets `is_stuck`; None for no limit.
        broken: Path segments whose uploads the hub answers with status 500.
        failing: Whether the hub answers every GET request with status 500.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=lambda: {"main", COMMIT})
    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    cut: int | None = None
    address: str = ""
    starts: list[int] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=lambda: {"hf_write": "write", "hf_read": "read"})
    storage: dict[str, bytes] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    stuck: int | None = None
    is_stuck: Event = field(default_factory=Event)
    broken: set[str] = field(default_factory=set)
    failing: bool = False

    def head(self, repo: str) -> str:
        """Return the commit of `main`."""
        return next(reversed(self.commits.get(repo, {})), COMMIT)

    def at(self, repo: str, revision: str) -> dict[str, bytes] | None:
        """Return the files of a branch, tag or commit."""
        commit = self.tags.get(repo, {}).get(revision, revision)
        if commit in self.commits.get(repo, {}):
            return self.commits[repo][commit]
        return self.files.get(repo) if revision in self.revisions else None

    def commit(self, repo: str, changes: Mapping[str, bytes | None]) -> str:
        """Change files on `main`; a content of None deletes the file. Return the commit."""
        changed = {**self.files[repo], **changes}
        self.files[repo] = {path: content for path, content in changed.items() if content is not None}
        name = hashlib.sha1(f"{self.head(repo)}{sorted(changes)}".encode()).hexdigest()
        self.commits.setdefault(repo, {})[name] = self.files[repo]
        return name


class HubHandler(BaseHTTPRequestHandler):
    """Answer requests. Each hub has its own subclass, which refers to the hub."""

    hub: Hub

    def do_HEAD(self) -> None:
        self._file(body=False)

    def do_GET(self) -> None:
        if self.hub.failing:
            self._send(500, {}, b"{}")
            return
        if found := re.fullmatch(rf"/api/models/{REPO}(?:/revision/([^/?]+))?(?:\?.*)?", self.path):
            self._info(found[1], found[2] or "main")
        elif found := re.fullmatch(rf"/api/models/{REPO}/refs", self.path):
            self._refs(found[1])
        else:
            self._file(body=True)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/api/validate-yaml":
            self._validate(json.loads(content)["content"])
        elif self.path.startswith("/complete/"):
            self._complete(json.loads(content))
        elif self._may_write():
            self._write(content)

    def do_DELETE(self) -> None:
        found = re.fullmatch(rf"/api/models/{REPO}/tag/(.+)", self.path)
        if found and self._may_write():
            del self.hub.tags[found[1]][unquote(found[2])]
            self._answer({})

    def do_PUT(self) -> None:
        """Accept a part of a large file. The URL is secret and needs no token, like a presigned URL."""
        _, _, digest, number = self.path.split("/")
        if self.hub.stuck is not None and len(self.hub.parts) >= self.hub.stuck:
            self.hub.is_stuck.set()
            self.rfile.read()
            self.close_connection = True
            return
        self.hub.parts[digest, int(number)] = self.rfile.read(int(self.headers["content-length"]))
        self._send(200, {"etag": f'"{number}"'}, b"")

    def _write(self, content: bytes) -> None:
        if self.path == "/api/repos/create":
            self._create(json.loads(content))
        elif found := re.fullmatch(rf"/api/models/{REPO}/preupload/main", self.path):
            self._preupload(found[1], json.loads(content)["files"])
        elif re.fullmatch(rf"/{REPO}\.git/info/lfs/objects/batch", self.path):
            self._batch(json.loads(content)["objects"])
        elif found := re.fullmatch(rf"/api/models/{REPO}/commit/main", self.path):
            self._commit(found[1], [json.loads(line) for line in content.splitlines()])
        elif found := re.fullmatch(rf"/api/models/{REPO}/tag/([^/]+)", self.path):
            self._tag(found[1], found[2], json.loads(content)["tag"])
        else:
            self._refuse("EntryNotFound")

    def _may_write(self) -> bool:
        """Return whether the request's token may write, and send the error if it may not."""
        right = self.hub.tokens.get((self.headers.get("authorization") or "").removeprefix("Bearer "))
        if right == "write" and not self.hub.broken & set(self.path.split("/")):
            return True
        status, message = {None: (401, "Invalid username or password."), "read": (403, "No write access.")}.get(
            right, (500, "Internal Error")
        )
        self._send(status, {"x-error-message": message}, b"{}")
        return False

    def _create(self, asked: dict[str, Any]) -> None:
        repo = f"{asked['organization']}/{asked['name']}"
        if repo in self.hub.files:
            self._answer({"error": "You already created this model repo", "url": f"{self.hub.address}/{repo}"}, 409)
            return
        self.hub.files[repo] = {}
        if asked.get("visibility") == "private":
            self.hub.private.add(repo)
        self.hub.commit(repo, {".gitattributes": b"*.onnx filter=lfs\n"})
        self._answer({"url": f"{self.hub.address}/{repo}"})

    def _validate(self, card: str) -> None:
        license_name = re.search(r"^license: (.*)$", card, re.MULTILINE)
        unknown = license_name and license_name[1] not in {"cc-by-4.0", "apache-2.0", "mit", "other"}
        message = f'"license" must be one of [apache-2.0, ...], found {license_name[1]}' if license_name else ""
        errors = [{"message": message}] if unknown else []
        self._answer({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _preupload(self, repo: str, files: list[dict[str, Any]]) -> None:
        here = self.hub.files[repo]
        self._answer(
            {
                "files": [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                        "oid": _oid(file["path"], here[file["path"]]) if file["path"] in here else None,
                    }
                    for file in files
                ]
            }
        )

    def _batch(self, objects: list[dict[str, Any]]) -> None:
        """Answer which files to upload, and where; files that are stored already need no upload."""
        answers: list[dict[str, Any]] = []
        for found in objects:
            answer = {"oid": found["oid"], "size": found["size"]}
            if found["oid"] not in self.hub.storage:
                count = -(-found["size"] // PART_BYTES)
                parts = {
                    str(number): f"{self.hub.address}/part/{found['oid']}/{number}" for number in range(1, count + 1)
                }
                href = f"{self.hub.address}/complete/{found['oid']}"
                header = {"chunk_size": str(PART_BYTES), **parts}
                answer["actions"] = {"upload": {"href": href, "header": header}}
            answers.append(answer)
        self._answer({"transfer": "multipart", "objects": answers})

    def _complete(self, asked: dict[str, Any]) -> None:
        digest = asked["oid"]
        content = b"".join(self.hub.parts[digest, part["partNumber"]] for part in asked["parts"])
        assert hashlib.sha256(content).hexdigest() == digest
        self.hub.storage[digest] = content
        self.hub.uploads.append(digest)
        self._answer({})

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        header = lines[0]["value"]
        if header.get("parentCommit", self.hub.head(repo)) != self.hub.head(repo):
            self._answer({"error": "The branch has moved"}, 412)
            return
        changes: dict[str, bytes | None] = {}
        for line in lines[1:]:
            value = line["value"]
            content = {
                "file": lambda value: base64.b64decode(value["content"]),
                "lfsFile": lambda value: self.hub.storage[value["oid"]],
                "deletedFile": lambda _: None,
            }[line["key"]]
            changes[value["path"]] = content(value)
        commit = self.hub.commit(repo, changes)
        self._answer({"commitUrl": f"{self.hub.address}/{repo}/commit/{commit}", "commitOid": commit})

    def _tag(self, repo: str, commit: str, tag: str) -> None:
        tags = self.hub.tags.setdefault(repo, {})
        status = 409 if tag in tags else 200
        tags.setdefault(tag, commit)
        self._answer({}, status)

    def _refs(self, repo: str) -> None:
        if repo not in self.hub.files:
            self._refuse("RepoNotFound")
            return
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit}
            for name, commit in self.hub.tags.get(repo, {}).items()
        ]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": self.hub.head(repo)}
        self._answer({"branches": [main], "converts": [], "tags": tags})

    def _info(self, repo: str, revision: str) -> None:
        files = self.hub.at(repo, revision)
        if repo not in self.hub.files:
            self._refuse("RepoNotFound")
        elif files is None:
            self._refuse("RevisionNotFound")
        else:
            siblings = [{"rfilename": name} for name in files]
            commit = self.hub.tags.get(repo, {}).get(revision) or (
                revision if revision in self.hub.commits.get(repo, {}) else self.hub.head(repo)
            )
            private = repo in self.hub.private
            self._answer({"id": repo, "modelId": repo, "sha": commit, "siblings": siblings, "private": private})

    def _file(self, *, body: bool) -> None:
        found = re.fullmatch(rf"/{REPO}/resolve/([^/]+)/(.+)", self.path)
        content = (self.hub.at(found[1], found[2]) or {}).get(unquote(found[3])) if found else None
        if found is None or content is None:
            self._refuse("EntryNotFound")
            return
        headers = {
            "etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "x-repo-commit": self.hub.tags.get(found[1], {}).get(found[2]) or self.hub.head(found[1]),
            "accept-ranges": "bytes",
        }
        start = int((self.headers.get("range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        if body:
            self.hub.starts.append(start)
        if start:
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, headers, content[start:], body=body)

    def _refuse(self, code: str) -> None:
        self._send(404, {"x-error-code": code, "x-error-message": code}, b"")

    def _answer(self, answer: Mapping[str, Any], status: int = 200) -> None:
        self._send(status, {"content-type": "application/json"}, json.dumps(answer).encode())

    def _send(self, status: int, headers: dict[str, str], content: bytes, *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body:
            return
        if self.hub.cut is not None and "/resolve/" in self.path and len(content) > self.hub.cut:
            content, self.hub.cut = content[: self.hub.cut], None
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _oid(path: str, content: bytes) -> str:
    """Return the Git object id of a file, or the LFS object id of a large one."""
    if path.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Serve a hub on a free port of localhost."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (HubHandler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def send_library_to(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point huggingface_hub, which reads its settings only once, to a hub and a cache folder, and disable Xet."""
    import huggingface_hub.constants
    import huggingface_hub.file_download
    import huggingface_hub.hf_api

    for module in (huggingface_hub.constants, huggingface_hub.hf_api):
        monkeypatch.setattr(module, "ENDPOINT", hub.address, raising=False)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    for module in (huggingface_hub.constants, huggingface_hub.file_download):
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
