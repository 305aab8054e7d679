"""A line to a server that breaks after so many bytes from it: a server that goes away in mid-sentence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cut_after(port: int, size: int) -> Iterator[int]:
    """The port of a line to `port` on the loopback that lets `size` bytes through to the client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, port, size))
        thread.start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


def _serve(listener: socket.socket, port: int, size: int) -> None:
    with suppress(OSError):
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            upstream = threading.Thread(target=_copy, args=(client, server, 1 << 40))
            upstream.start()
            _copy(server, client, size)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            upstream.join(10)


def _copy(source: socket.socket, target: socket.socket, size: int) -> None:
    with suppress(OSError):
        while size > 0 and (data := source.recv(min(size, 65_536))):
            target.sendall(data)
            size -= len(data)
