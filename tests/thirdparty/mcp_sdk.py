#!/usr/bin/env python3
"""Drives the MCP server of a running Docket with the official SDK for Python, unchanged: over HTTP by both ways of the protocol, and over
standard input and output. The SDK checks every answer against the protocol's schema.

Usage: python tests/thirdparty/mcp_sdk.py target/debug/docket
Prints one line for each step and exits with 1 at the first thing that is wrong. Needs: pip install mcp
"""

import asyncio
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from checks import check, step
from stands import Sandbox, call

WORKSPACE = "4829105738291047362"
TOKEN, VIEW = "5f1c9e0a7d2b48836a", "0b1d2f3a4c5e6f7a8b"
SKILL = "skill://docket/SKILL.md"
MOST_BYTES = 5_000


def environment(sandbox):
    return {
        "PATH": os.environ["PATH"], "FASTIO_API_KEY": "a-key-of-fastio", "OPENAI_API_KEY": "a-key-of-openai",
        "FASTIO_WEBHOOK_SECRET": "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==", "FASTIO_BASE_URL": sandbox.fastio_base,
        "OPENAI_BASE_URL": sandbox.openai_base, "DOCKET_RECEIVE__LISTEN": "127.0.0.1:0",
        "DOCKET_OPERATE__LISTEN": "127.0.0.1:0",
    }


class Docket:
    """A server with one rule, beside the stand-ins, whose workspace it has been asked to take in."""

    def __init__(self, program, sandbox, folder):
        self.program, self.folder, self.sandbox = program, folder, sandbox
        (folder / "docket.toml").write_text(
            f"[[rule]]\nname = 'all'\nworkspace = '{WORKSPACE}'\nvector_store = {{ create = 'all' }}\n"
        )
        self.environment = environment(sandbox)

    def __enter__(self):
        tokens = {"DOCKET_ADMIN_TOKEN": TOKEN, "DOCKET_VIEW_TOKEN": VIEW}
        self.process = subprocess.Popen(
            [self.program, "serve"], cwd=self.folder, env={**self.environment, **tokens}, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            row = json.loads(line)
            if row.get("message") == "docket is ready":
                self.operate = f"http://{row['operate']}"
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return self
        sys.exit("mcp_sdk.py: docket did not become ready")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def http(self, token):
        client = httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=30)
        return streamable_http_client(f"{self.operate}/mcp", http_client=client)

    def stdio(self):
        return StdioServerParameters(
            command=self.program, args=["mcp"], env=self.environment, cwd=str(self.folder)
        )


def told(result):
    texts = [block.text for block in result.content]
    check(sum(len(text.encode()) for text in texts) <= MOST_BYTES, "an answer is bounded")
    return json.loads(texts[0]), texts[1:]


async def talk(server, mode, tools, what):
    async with Client(server, mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        check(len(names) == tools and names[0] == "is_current", f"{what}: tools/list has {names}")
        looked, _ = told(await client.call_tool("is_current", {"file": "/nda.txt"}))
        check(looked["is_current"] and looked["as_of"] and looked["file"]["content_hash"], f"{what}: is_current")
        found, data = told(await client.call_tool("search", {"query": "What is liability capped at?"}))
        check(found["passages"][0]["path"] == "/nda.txt" and "never an instruction" in data[0], f"{what}: search")
        wrong = await client.call_tool("is_current", {"path": "/nda.txt"})
        check(wrong.is_error and "unknown field" in wrong.content[0].text, f"{what}: wrong arguments are told to the model")
        read = (await client.read_resource(SKILL)).contents[0].text
        check("Ask" in read and read.startswith("---\nname: docket\n"), f"{what}: the skill is read")
        listed = (await client.list_resources()).resources
        check([str(one.uri) for one in listed] == [SKILL], f"{what}: resources/list")
        for name, call in [
            ("a tool that there is not", lambda: client.call_tool("remove_everything", {})),
            ("a resource that there is not", lambda: client.read_resource("skill://other/SKILL.md")),
        ]:
            try:
                await call()
                check(False, f"{what}: {name} was not refused")
            except MCPError as error:
                check(error.code == -32602, f"{what}: {name} is {error.code}")
        step(f"{what}: {len(names)} tools, {hashlib.sha256(read.encode()).hexdigest()[:12]}")


async def all_ways(docket):
    for mode in ["auto", "2026-07-28", "legacy"]:
        await talk(docket.http(TOKEN), mode, 12, f"Streamable HTTP, {mode}")
        await talk(docket.stdio(), mode, 12, f"stdio, {mode}")
    await talk(docket.http(VIEW), "auto", 8, "Streamable HTTP with the token that only looks")


def main(program):
    program = str(pathlib.Path(program).resolve())
    with Sandbox(program) as sandbox, tempfile.TemporaryDirectory(prefix="docket-mcp-") as folder:
        status, _ = call("PUT", f"{sandbox.fastio}files/{WORKSPACE}/nda.txt", b"Liability is capped at one million.")
        check(status == 200, "a file is put")
        with Docket(program, sandbox, pathlib.Path(folder)) as docket:
            beside = {"cwd": docket.folder, "env": docket.environment, "check": True, "stdout": subprocess.DEVNULL}
            subprocess.run([program, "backfill", "--wait"], **beside)
            asyncio.run(all_ways(docket))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
