#!/usr/bin/env python3
"""Runs Docket between the Fastio stand-in and a server that speaks OpenAI's language and is not OpenAI, and demands at the end
that both sides agree: no orphan, no ghost, no dead job.

Usage: python servers.py DOCKET ogx OGX TOKENIZERS        OGX is its program, TOKENIZERS a folder with tiktoken's files
       python servers.py DOCKET litellm LITELLM           the proxy's program; behind it stands OpenAI's stand-in
"""

import contextlib
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile

from stands import Sandbox, Server, free_port
from story import FILES, NOT_FOR_OGX, Story

HERE = pathlib.Path(__file__).parent

# Both begin slowly on a machine that is busy with something else.
START_SECONDS = 300

SECRET = "whsec_ZG9ja2V0LXNhbmRib3gtaXMtbm90LXNlY3JldA=="
# The proxy refuses a weak one, and the stand-ins take any.
KEY = "sk-" + secrets.token_hex(32)


def quiet(folder, name):
    """Where a server's own words go; they are shown when something fails."""
    return open(folder / f"{name}.log", "w")


@contextlib.contextmanager
def ogx(program, tokenizers, folder):
    """OGX as it is published, with a stub for its models. Gives its base URL and the name of a model."""
    port, stub_port = free_port(), free_port()
    text = (HERE / "ogx.yaml").read_text()
    for word, value in [("FOLDER", folder / "ogx"), ("STUB_PORT", stub_port), ("OGX_PORT", port)]:
        text = text.replace(word, str(value))
    (folder / "ogx").mkdir()
    settings = folder / "ogx.yaml"
    settings.write_text(text)
    environment = {
        **os.environ, "TIKTOKEN_CACHE_DIR": str(tokenizers), "OGX_CONFIG_DIR": str(folder / "ogx"),
        "HF_HUB_OFFLINE": "1", "OTEL_SDK_DISABLED": "true",
        # The other log blocks for seconds after an error.
        "OGX_LOG_FORMAT": "json",
    }
    base = f"http://127.0.0.1:{port}/v1"
    stub = Server([sys.executable, HERE / "model_stub.py", str(stub_port)], [f"http://127.0.0.1:{stub_port}/v1/models"])
    stub.must_end_well = False
    server = Server(
        [program, "run", settings, "--insecure"], [base + "/models"], START_SECONDS, env=environment,
        stdout=quiet(folder, "ogx"), stderr=subprocess.STDOUT,
    )
    server.must_end_well = False
    with stub, server:
        yield base, base, "stub/stub-chat"


@contextlib.contextmanager
def litellm(program, sandbox, folder):
    """The LiteLLM proxy in front of OpenAI's stand-in, whose lists tell what is there: the proxy pages through files wrongly."""
    port = free_port()
    settings = folder / "litellm.yaml"
    settings.write_text(
        "model_list:\n- model_name: sandbox-rules\n"
        f"  litellm_params: {{model: openai/sandbox-rules, api_base: '{sandbox.openai_base}', api_key: {KEY}}}\n"
        "files_settings:\n"
        f"- {{custom_llm_provider: openai, api_base: '{sandbox.openai_base}', api_key: {KEY}}}\n"
    )
    environment = {
        **os.environ, "OPENAI_API_BASE": sandbox.openai_base, "OPENAI_BASE_URL": sandbox.openai_base,
        "OPENAI_API_KEY": KEY, "LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    base = f"http://127.0.0.1:{port}"
    server = Server(
        [program, "--config", settings, "--host", "127.0.0.1", "--port", str(port)],
        [base + "/health/liveliness"], START_SECONDS, env=environment,
        stdout=quiet(folder, "litellm"), stderr=subprocess.STDOUT,
    )
    server.must_end_well = False
    with server:
        yield base + "/v1", sandbox.openai_base, "sandbox-rules"


def tell(folder):
    """What the servers said, when something was wrong."""
    for log in sorted(folder.glob("*.log")):
        print(f"-- the end of {log.name}")
        print("\n".join(log.read_text(errors="replace").splitlines()[-25:]))


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    docket, which = sys.argv[1], sys.argv[2]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="docket-servers-"))
    receive = free_port()
    try:
        with Sandbox(docket, "--webhook", f"http://127.0.0.1:{receive}/webhooks/fastio") as sandbox:
            other = ogx(sys.argv[3], sys.argv[4], folder) if which == "ogx" else litellm(sys.argv[3], sandbox, folder)
            with other as (base, lists, model):
                settings = folder / "docket.toml"
                environment = {
                    **os.environ, "FASTIO_BASE_URL": sandbox.fastio_base, "OPENAI_BASE_URL": base,
                    "FASTIO_API_KEY": KEY, "OPENAI_API_KEY": KEY, "FASTIO_WEBHOOK_SECRET": SECRET,
                    "DATABASE_URL": f"sqlite://{folder}/docket.db", "DOCKET_OPERATE__LISTEN": "off",
                    "DOCKET_RECEIVE__LISTEN": f"127.0.0.1:{receive}",
                }
                files = FILES if which == "ogx" else {**FILES, **NOT_FOR_OGX}
                story = Story(docket, settings, environment, sandbox, lists, files)
                story.write_settings(model)
                server = Server(
                    [docket, "serve", "--config", settings], [f"http://127.0.0.1:{receive}/readyz"], START_SECONDS,
                    env=environment, stdout=quiet(folder, "docket"), stderr=subprocess.STDOUT,
                )
                with server:
                    story.tell()
        shutil.rmtree(folder)
    except BaseException:
        tell(folder)
        raise


if __name__ == "__main__":
    main()
