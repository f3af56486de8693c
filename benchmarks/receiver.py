"""`python -m benchmarks.receiver`: a webhook receiver that only responds; it prints its port."""

import asyncio

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class ReceiverProtocol(asyncio.Protocol):
    """A response to each request as soon as its body is complete."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the responses."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to complete requests."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            length = int(head.partition(b"content-length:")[2].split()[0])
            if len(self._received) < end + 4 + length:
                return
            del self._received[: end + 4 + length]
            self._transport.write(RESPONSE)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until the process is stopped."""
    server = await asyncio.get_running_loop().create_server(ReceiverProtocol, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
