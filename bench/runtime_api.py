"""Lambda's Runtime API for one process at a time, and the process under it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import select
import signal
import socket
import time

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:keyvend"
PATIENCE = 10.0


class WrongAnswer(Exception):
    """A function failed, or answered what it should not; there is no number for that."""


class Function:
    """A started bootstrap, or a program with its arguments. `started` is the time just before the process was asked for."""

    def __init__(self, bootstrap, environment, log, arguments=()):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.connections = {}
        self.waiting = None
        self.bootstrap = bootstrap
        self.log = log
        self.count = 0
        port = self.listener.getsockname()[1]
        environment = {
            **environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "keyvend",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "keyvend",
            "AWS_LAMBDA_LOG_STREAM_NAME": "keyvend",
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        output = [(os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
        self.started = time.perf_counter()
        self.pid = os.posix_spawn(bootstrap, [bootstrap, *arguments], environment, file_actions=output)

    def wait(self):
        """Until it asks for an event: its start is over. Returns when that was."""
        while self.waiting is None:
            self._step()
        return time.perf_counter()

    def invoke(self, event):
        """Gives one event. Returns the answer, when the event was sent and when its answer was there."""
        self.wait()
        self.count += 1
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-{self.count:012}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int(time.time() * 1000) + 30_000}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {ARN}\r\n"
            "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        )
        connection, self.waiting = self.waiting, None
        sent = time.perf_counter()
        connection.sendall(head.encode() + event)
        while True:
            answer = self._step()
            if answer is not None:
                return json.loads(answer), sent, time.perf_counter()

    def _step(self):
        """Serves one request of the process; returns the body if it was an answer."""
        readable, _, _ = select.select([self.listener, *self.connections], [], [], PATIENCE)
        if not readable:
            raise WrongAnswer(f"{self.bootstrap} says nothing: {self.said()}")
        for ready in readable:
            if ready is self.listener:
                connection = self.listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections[connection] = Reader(connection)
                continue
            request = self.connections[ready].request()
            if request is None:
                del self.connections[ready]
                ready.close()
                if not self.connections:
                    raise WrongAnswer(f"{self.bootstrap} ended: {self.said()}")
                continue
            line, body = request
            if line.startswith("GET /2018-06-01/runtime/invocation/next "):
                self.waiting = ready
            elif line.startswith("POST ") and "/response " in line:
                ready.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                return body
            else:
                raise WrongAnswer(f"{self.bootstrap}: {line} {body[:300]!r} {self.said()}")
        return None

    def said(self):
        """What the process logged."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def most_memory(self):
        """The most that was ever resident, in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        raise WrongAnswer("the kernel does not say VmHWM")

    def end(self):
        """Ends the process; returns the CPU time it took, in seconds."""
        os.kill(self.pid, signal.SIGKILL)
        _, _, usage = os.wait4(self.pid, 0)
        for connection in self.connections:
            connection.close()
        self.listener.close()
        return usage.ru_utime + usage.ru_stime


class Reader:
    """Requests out of one connection."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def _more(self):
        data = self.connection.recv(65_536)
        self.buffer += data
        return bool(data)

    def _until(self, end):
        while end not in self.buffer:
            if not self._more():
                return None
        part, self.buffer = self.buffer.split(end, 1)
        return part

    def _exactly(self, size):
        while len(self.buffer) < size and self._more():
            pass
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def request(self):
        """The request line with the headers after it, and the body; `None` where the other end is gone."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        text = head.decode("latin-1")
        lower = text.lower()
        if "\r\ntransfer-encoding: chunked" in lower:
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._until(b"\r\n")
            return text, body
        _, _, length = lower.partition("\r\ncontent-length:")
        return text, self._exactly(int(length.split("\r\n", 1)[0])) if length else b""
