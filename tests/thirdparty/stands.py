"""Starts and stops what the scripts here stand between: `docket sandbox`, and other servers on free ports."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

START_SECONDS = 20
STOP_SECONDS = 10


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(method, url, body=None, headers=None, patience=30):
    """Status and parsed body of one request; a body that is no bytes is sent as JSON."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("content-type", "application/json")
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=patience) as reply:
            status, text = reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def answers(url, headers=None):
    try:
        return call("GET", url, headers=headers, patience=2)[0] == 200
    except (urllib.error.URLError, OSError):
        return False


class Server:
    """A process that is ready when a URL answers, and is ended with the block."""

    def __init__(self, command, ready, start_seconds=START_SECONDS, **more):
        self.command, self.ready, self.start_seconds, self.more = command, ready, start_seconds, more

    def __enter__(self):
        self.process = subprocess.Popen(self.command, **self.more)
        patience = time.monotonic() + self.start_seconds
        while not all(answers(url) for url in self.ready):
            if self.process.poll() is not None or time.monotonic() > patience:
                self.process.kill()
                sys.exit(f"{self.command[0]} did not start")
            time.sleep(0.1)
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            ended = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            ended = self.process.wait()
        if kind is None and ended != 0 and self.must_end_well:
            sys.exit(f"{self.command[0]} stopped with {ended}")

    must_end_well = True


class Sandbox(Server):
    def __init__(self, docket, *more):
        fastio, openai = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.fastio, self.openai = f"http://{fastio}/_sandbox/", f"http://{openai}/_sandbox/"
        self.fastio_base, self.openai_base = f"http://{fastio}/current", f"http://{openai}/v1"
        command = [docket, "sandbox", "--fastio", fastio, "--openai", openai, *more]
        ready = [self.fastio + "faults", self.openai + "faults"]
        super().__init__(command, ready, stdout=subprocess.DEVNULL)
