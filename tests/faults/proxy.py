"""A network between a process and its Redis: it can be cut, can stall, and can be watched."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Watch = Callable[[bytes], bool]  # sees what passes; whether it may go on


def _let_pass(_data: bytes) -> bool:
    return True


class Proxy:
    """Forwards TCP to a port of this machine, in threads of this process."""

    def __init__(self, target: int):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_flowing = threading.Event()
        self._is_flowing.set()
        self._is_cut = False
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.on_request: Watch = _let_pass
        self.on_reply: Watch = _let_pass
        self._run(self._accept)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self._is_cut = True
        self._end_all()

    def stall(self) -> None:
        """Nothing passes and nobody is told; what was sent meanwhile arrives after `mend`, late."""
        self._is_flowing.clear()

    def mend(self) -> None:
        self._is_cut = False
        self._is_flowing.set()

    def close(self) -> None:
        self.cut()
        self._is_flowing.set()
        _end(self._listener)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _end_all(self) -> None:
        for connection in list(self._open):
            _end(connection)

    def _run(self, target: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                self._run(self._carry, client)

    def _carry(self, client: socket.socket) -> None:
        """All that one connection is for."""
        with client, suppress(OSError):  # Redis is away
            if self._is_cut:
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                self._open |= {client, server}
                for connection in (client, server):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                replies = self._run(self._pump, server, client, lambda data: self.on_reply(data))
                self._pump(client, server, lambda data: self.on_request(data))
                replies.join()
                self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket, watch: Watch) -> None:
        with suppress(OSError):  # one of the two ends was closed
            while data := source.recv(65_536):
                self._is_flowing.wait()
                if watch(data):
                    sink.sendall(data)
        self._is_flowing.wait()
        _end(sink)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended
        connection.shutdown(socket.SHUT_RDWR)
