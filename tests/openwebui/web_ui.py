"""Open WebUI on this machine, started as its users start it, with a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from repository import ROOT

VENV = ROOT / ".venv.openwebui"
_START_SECONDS = 240
_SOCKET_PROGRAM = Path(__file__).with_name("socket_program.py")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Ask `url` until it replies with 200; fail with the end of `log` if the server ends."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        try:
            server.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"{url} did not come up:\n{log.read_text('utf-8', 'replace')[-3000:]}")


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """End a server and what it started; it leads a process group of its own."""
    if server.poll() is not None:
        return
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(20)


@dataclass
class ChatTurn:
    """One answer in progress: `events()` yields what the page would be sent."""

    ui: "WebUI"
    program: subprocess.Popen[str]
    message_id: str
    chat_id: str = ""
    task_ids: list[str] = field(default_factory=list)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield `type` and `data` of every event of this answer, to the last one."""
        with self.program as program:
            assert program.stdout is not None
            try:
                for line in program.stdout:
                    message = json.loads(line)
                    if "status" in message:
                        assert message["status"] == 200, message
                        self.chat_id = message["reply"]["chat_id"]
                        self.task_ids = message["reply"]["task_ids"]
                    elif message.get("message_id") == self.message_id:
                        yield message["data"]
            except BaseException:
                program.kill()
                raise
        assert program.returncode == 0

    def finish(self) -> dict[str, Any]:
        """Wait for the end; return the message as the chat keeps it."""
        for _ in self.events():
            pass
        return self.saved()

    def saved(self) -> dict[str, Any]:
        chat = self.ui.get(f"/api/v1/chats/{self.chat_id}")
        message: dict[str, Any] = chat["chat"]["history"]["messages"][self.message_id]
        return message

    def stop(self) -> float:
        """Press the stop button; return when."""
        pressed_at = time.monotonic()
        for task_id in self.task_ids:
            self.ui.post(f"/api/tasks/stop/{task_id}")
        return pressed_at


@dataclass
class WebUI:
    """The server over one OpenAI-compatible address."""

    folder: Path
    backend_url: str
    port: int = 0

    def __enter__(self) -> Self:
        self.port = self.port or free_port()
        home = self.folder / "home"
        home.mkdir(parents=True)
        log = self.folder / "open-webui.log"
        self._log = log.open("wb")
        self._server = subprocess.Popen(
            [VENV / "bin" / "open-webui", "serve", "--host", "127.0.0.1", "--port", str(self.port)],
            env=self._environment(home),
            cwd=self.folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_healthy(f"{self.url}/health", self._server, log)
            signed_in = httpx.post(
                f"{self.url}/api/v1/auths/signin", json={"email": "", "password": ""}, timeout=60
            )
            self.token = signed_in.raise_for_status().json()["token"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        stop_server(self._server)
        self._log.close()

    def _environment(self, home: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {
            "HOME": str(home),
            "DATA_DIR": str(home / "data"),
            "OFFLINE_MODE": "true",
            "HF_HUB_OFFLINE": "1",
            "WEBUI_AUTH": "false",
            "WEBUI_SECRET_KEY": "test",
            "ENABLE_OLLAMA_API": "false",
            "OPENAI_API_BASE_URL": self.backend_url,
            "OPENAI_API_KEY": "test",
            "BYPASS_EMBEDDING_AND_RETRIEVAL": "true",
            "RAG_EMBEDDING_ENGINE": "openai",
            "ENABLE_VERSION_UPDATE_CHECK": "false",
            "ANONYMIZED_TELEMETRY": "false",
            "DO_NOT_TRACK": "true",
            "SCARF_NO_ANALYTICS": "true",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        return self._request("GET", path)

    def post(self, path: str, **options: Any) -> Any:
        return self._request("POST", path, **options)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        reply = httpx.request(method, self.url + path, headers=headers, timeout=120, **options)
        return reply.raise_for_status().json()

    def upload(self, name: str, text: str) -> dict[str, Any]:
        """Upload a file and wait until it is taken in; return it as a chat attaches it."""
        stored = self.post(
            "/api/v1/files/?process_in_background=false",
            files={"file": (name, text.encode(), "text/plain")},
        )
        return {
            "type": "file",
            "id": stored["id"],
            "name": name,
            "status": "uploaded",
            "context": "full",
            "file": {"id": stored["id"]},
        }

    def ask(self, question: str, *files: dict[str, Any], model: str = "scripted") -> ChatTurn:
        """Send the first turn of a new chat."""
        user_id, answer_id = str(uuid.uuid4()), str(uuid.uuid4())
        user_message = {
            "id": user_id,
            "parentId": None,
            "childrenIds": [],
            "role": "user",
            "content": question,
            "files": list(files),
            "timestamp": int(time.time()),
            "models": [model],
        }
        payload = {
            "model": model,
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "params": {},
            "files": list(files),
            "parent_id": None,
            "user_message": user_message,
            "id": answer_id,
            "background_tasks": {"title_generation": True},
        }
        program = subprocess.Popen(
            [VENV / "bin" / "python", _SOCKET_PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdin is not None
        asked = {"url": self.url, "token": self.token, "payload": payload}
        program.stdin.write(json.dumps(asked) + "\n")
        program.stdin.flush()
        return ChatTurn(self, program, answer_id)
