"""Sends one chat turn to Open WebUI as its page does, and prints every event of the chat.

It runs in Open WebUI's own environment, which has the client of the socket protocol. One line of
JSON on standard input: `url`, `token`, `payload`. On standard output a line of JSON each: what the
request returned, then the events, until the turn is done or cancelled.
"""

import asyncio
import json
import sys
from typing import Any

import aiohttp
import socketio


def _show(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _is_last(event: dict[str, Any]) -> bool:
    kind, content = event.get("type"), event.get("data") or {}
    return kind == "chat:tasks:cancel" or (kind == "chat:completion" and bool(content.get("done")))


async def main() -> None:
    asked = json.loads(sys.stdin.readline())
    client = socketio.AsyncClient()
    is_over = asyncio.Event()

    @client.on("events")
    async def show(message: dict[str, Any]) -> None:
        _show(message)
        if message.get("message_id") == asked["payload"]["id"] and _is_last(message["data"]):
            is_over.set()

    await client.connect(
        asked["url"],
        socketio_path="/ws/socket.io",
        auth={"token": asked["token"]},
        transports=["websocket"],
    )
    payload = {**asked["payload"], "session_id": client.get_sid()}
    headers = {"Authorization": f"Bearer {asked['token']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(f"{asked['url']}/api/chat/completions", json=payload) as reply:
            _show({"status": reply.status, "reply": await reply.json()})
        await asyncio.wait_for(is_over.wait(), 600)
    await client.disconnect()


asyncio.run(main())
