"""The services under their real names, each a round trip away: for functions that are started as in a region.

The names are looked up in a hosts file that only this process and its children see (a mount namespace), so the functions run
unchanged. A relay in front of each name delays what passes by half a round trip, and the first bytes of a connection by one more,
as TCP's own handshake would.
"""

import ctypes
import os
import queue
import socket
import subprocess
import threading
import time
from pathlib import Path

REGION = "eu-west-1"
HOSTS = [f"{service}.{REGION}.amazonaws.com" for service in ("dynamodb", "secretsmanager", "sqs", "sts")] + [
    "iam.amazonaws.com", "slack.com", "hooks.slack.com",
]
CLONE_NEWNS = 0x00020000


def address(host):
    """Its address on loopback."""
    return f"127.0.1.{1 + HOSTS.index(host)}"


def take_names(folder):
    """Makes this process and its children find each name on loopback. Needs root; nothing else on the machine sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise SystemExit(f"a mount namespace is needed, and {os.strerror(ctypes.get_errno())}: run as root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    names = Path(folder, "hosts")
    names.write_text("127.0.0.1 localhost\n" + "".join(f"{address(host)} {host}\n" for host in HOSTS), encoding="ascii")
    subprocess.run(["mount", "--bind", names, "/etc/hosts"], check=True)


class Relay:
    """Port 443 of every name, in front of the simulated services."""

    def __init__(self, target, round_trip):
        self.target, self.half = target, round_trip / 2
        self.listeners = [socket.create_server((address(host), 443), backlog=64) for host in HOSTS]
        for listener in self.listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # it was closed
            threading.Thread(target=self._connect, args=(client, time.perf_counter()), daemon=True).start()

    def _connect(self, client, accepted):
        server = socket.create_connection(self.target)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected = accepted + 2 * self.half
        for source, sink in ((client, server), (server, client)):
            passing = queue.SimpleQueue()
            threading.Thread(target=self._take, args=(source, passing, connected), daemon=True).start()
            threading.Thread(target=self._give, args=(sink, passing), daemon=True).start()

    def _take(self, source, passing, connected):
        data = b"-"
        while data:
            try:
                data = source.recv(65_536)
            except OSError:
                data = b""
            passing.put((max(time.perf_counter(), connected) + self.half, data))

    def _give(self, sink, passing):
        data = b"-"
        while data:
            due, data = passing.get()
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
            except OSError:
                return  # the other end is gone

    def end(self):
        """Takes no more connections."""
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
