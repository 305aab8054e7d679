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
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.on_request: Watch = _let_pass
        self.on_reply: Watch = _let_pass
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._is_cut = True
        self._close_all()

    def stall(self) -> None:
        """Nothing passes and nobody is told; what was sent meanwhile arrives after `mend`, late."""
        self._is_flowing.clear()

    def mend(self) -> None:
        self._is_cut = False
        self._is_flowing.set()

    def close(self) -> None:
        self._listener.close()
        self._is_flowing.set()
        self._close_all()

    def _close_all(self) -> None:
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with suppress(OSError):  # its other end may have closed it
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                if self._is_cut:
                    client.close()
                else:
                    self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:  # Redis is away
            client.close()
            return
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        self._start_pump(client, server, lambda data: self.on_request(data))
        self._start_pump(server, client, lambda data: self.on_reply(data))

    def _start_pump(self, *way: object) -> None:
        threading.Thread(target=self._pump, args=way, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, watch: Watch) -> None:
        with suppress(OSError):  # one of the two ends was closed
            while data := source.recv(65_536):
                self._is_flowing.wait()
                if watch(data):
                    sink.sendall(data)
        self._is_flowing.wait()
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
