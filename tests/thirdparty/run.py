#!/usr/bin/env python3
"""Starts `docket sandbox` on free ports, drives it with the third-party clients in this folder, and stops it.

Usage: python tests/thirdparty/run.py target/debug/docket
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
START_SECONDS = 20
STOP_SECONDS = 10


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % listener.getsockname()[1]


def answers(address):
    try:
        with urllib.request.urlopen(f"http://{address}/_sandbox/faults", timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fastio, openai = free_address(), free_address()
    sandbox = subprocess.Popen([sys.argv[1], "sandbox", "--fastio", fastio, "--openai", openai])
    try:
        patience = time.monotonic() + START_SECONDS
        while not (answers(fastio) and answers(openai)):
            if sandbox.poll() is not None or time.monotonic() > patience:
                sys.exit("the sandbox did not start")
            time.sleep(0.1)
        environment = {**os.environ, "OPENAI_BASE_URL": f"http://{openai}/v1", "OPENAI_API_KEY": "sk-test"}
        subprocess.run([sys.executable, HERE / "openai_sdk.py"], env=environment, check=True, timeout=300)
        sandbox.send_signal(signal.SIGTERM)
        if sandbox.wait(STOP_SECONDS) != 0:
            sys.exit(f"the sandbox stopped with {sandbox.returncode}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed.cmd[-1]} failed")
    finally:
        sandbox.kill()


if __name__ == "__main__":
    main()
