#!/usr/bin/env python3
"""Starts `docket sandbox` on free ports, drives it with the third-party clients in this folder, and stops it.

Usage: python tests/thirdparty/run.py target/debug/docket [NODE NODE_MODULES]

NODE is a Node of version 22 or later, and NODE_MODULES where the library for it is installed.
"""

import os
import pathlib
import subprocess
import sys

from stands import Sandbox

HERE = pathlib.Path(__file__).parent
CLIENT_SECONDS = 300


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    clients = [[sys.executable, HERE / "openai_sdk.py"]]
    if len(sys.argv) == 4:
        clients.append([sys.argv[2], HERE / "openai_sdk.mjs"])
    with Sandbox(sys.argv[1]) as sandbox:
        environment = {**os.environ, "OPENAI_BASE_URL": sandbox.openai_base, "OPENAI_API_KEY": "sk-test"}
        if len(sys.argv) == 4:
            environment["NODE_MODULES"] = sys.argv[3]
        for client in clients:
            print(f"-- {client[1].name}", flush=True)
            try:
                subprocess.run(client, env=environment, check=True, timeout=CLIENT_SECONDS)
            except subprocess.CalledProcessError:
                sys.exit(f"{client[1].name} failed")


if __name__ == "__main__":
    main()
