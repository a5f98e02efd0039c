# SPDX-License-Identifier: Apache-2.0
"""A way to a server on which the stream of changes can be held up: everything passes but what comes after the answer to
START_REPLICATION, until release() is called. Reads the wire, so connections through it need sslmode=disable."""

import socket
import threading

COPY_BOTH_SIZE = 8  # the answer to START_REPLICATION: CopyBothResponse without columns


class HeldStream:
    def __init__(self, address, port):
        self._server = (address, port)
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def release(self):
        self._released.set()

    def close(self):
        self.release()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(self._server)
            streams = threading.Event()
            threading.Thread(target=self._to_server, args=(client, server, streams), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server, streams), daemon=True).start()

    def _to_server(self, client, server, streams):
        while data := receive(client):
            if b"START_REPLICATION" in data:
                streams.set()
            server.sendall(data)
        shut(server)

    def _to_client(self, client, server, streams):
        while data := receive(server):
            if streams.is_set() and not self._released.is_set():
                client.sendall(data[:COPY_BOTH_SIZE])
                data = data[COPY_BOTH_SIZE:]
                self._released.wait()
            client.sendall(data)
        shut(client)


def receive(connection):
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
