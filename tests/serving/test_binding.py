import asyncio
import socket

import pytest

from longloom.serving.server import bind


@pytest.mark.enable_socket
def test_the_pieces_of_an_answer_do_not_wait_for_each_other():
    async def sends_at_once() -> int:
        asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            asked.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(connected, sock=bind("127.0.0.1", 0))
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            no_delay = await asked
            writer.close()
            await writer.wait_closed()
        return no_delay

    assert asyncio.run(sends_at_once()) == 1
