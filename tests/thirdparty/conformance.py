#!/usr/bin/env python3
"""The Model Context Protocol's own conformance suite, unchanged, against Docket's MCP server.

Usage: python conformance.py DOCKET NODE NODE_MODULES

Most of its scenarios call tools, prompts and resources of a server that was written for them (`test_simple_text`, and so on), which Docket
does not have and should not. Those are asked of it here that any server can be asked, in each revision of the protocol that they are for.
Prints one line for each scenario, and exits with 1 if one fails.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from checks import check, step
from stands import Sandbox, Server, free_port

SUITE = "@modelcontextprotocol/conformance/dist/index.js"
SCENARIOS = ["server-initialize", "ping", "tools-list", "resources-list", "dns-rebinding-protection"]


def main(docket, node, modules):
    docket, suite = str(pathlib.Path(docket).resolve()), str(pathlib.Path(modules, SUITE).resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="docket-conformance-"))
    (folder / "docket.toml").write_text(
        "[[rule]]\nname = 'all'\nworkspace = '4829105738291047362'\nvector_store = { create = 'all' }\n"
    )
    operate = f"127.0.0.1:{free_port()}"
    with Sandbox(docket) as sandbox:
        environment = {
            **os.environ, "FASTIO_BASE_URL": sandbox.fastio_base, "OPENAI_BASE_URL": sandbox.openai_base,
            "FASTIO_API_KEY": "a-key-of-fastio", "OPENAI_API_KEY": "a-key-of-openai", "DOCKET_LOG__FILTER": "error",
            "FASTIO_WEBHOOK_SECRET": "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==", "DOCKET_RECEIVE__LISTEN": "127.0.0.1:0",
            "DOCKET_OPERATE__LISTEN": operate,
        }
        # Without a token: the suite has none to send, and this machine needs none.
        with Server([docket, "serve"], [f"http://{operate}/api/v1/status"], cwd=folder, env=environment):
            for scenario in SCENARIOS:
                asks = [node, suite, "server", "--url", f"http://{operate}/mcp", "--scenario", scenario]
                ran = subprocess.run(asks, cwd=folder, capture_output=True, text=True)
                check(ran.returncode == 0, f"{scenario}: {ran.stdout}{ran.stderr}")
                step(f"the protocol's own suite: {scenario}")


main(*sys.argv[1:])
