"""Docket as others watch it: a real Prometheus scrapes the real program between the stand-ins, evaluates deploy/prometheus and answers what
each panel of deploy/grafana asks; and a receiver that checks signatures with the reference library of Standard Webhooks is sent a
notification.

    python tests/thirdparty/watch.py PROGRAM PROMETHEUS
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from standardwebhooks import Webhook

from stands import Sandbox, call, free_port

ROOT = pathlib.Path(__file__).parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "5f1c9e0a7d2b48836a"
PATIENCE = 120
WORKSPACE = "4829105738291047362"


def receiver():
    """Takes what is signed rightly, and says 401 to the rest."""
    came = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                came.append(Webhook(SECRET).verify(body, dict(self.headers)))
                self.send_response(204)
            except Exception as error:  # whatever the library says
                came.append(repr(error))
                self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return came, f"http://127.0.0.1:{server.server_port}/"


def until(look, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.2)
    sys.exit(f"watch.py: {what}")


def settings(folder, notify, receive, sandbox):
    (folder / "docket.toml").write_text(
        f"""
[receive]
listen = "127.0.0.1:{receive}"
[operate]
listen = "127.0.0.1:0"
[fastio]
base_url = "{sandbox.fastio_base}"
[openai]
base_url = "{sandbox.openai_base}"
[prices."sandbox-rules"]
input = 1.0
output = 2.0
[[notify]]
name = "reference"
url = "{notify}"
secret_env = "NOTIFY_SECRET"
allow_private = true
[[rule]]
name = "contracts"
workspace = "{WORKSPACE}"
exclude = ["**/*.analysis.md"]
vector_store = {{ create = "contracts" }}
[rule.run]
model = "sandbox-rules"
prompt = "What does it say?"
write_back = "{{stem}}.analysis.md"
"""
    )


def live(sandbox):
    """A contract comes, is analysed, and gets another name: something of each kind has happened then."""
    put = call("PUT", f"{sandbox.fastio}files/{WORKSPACE}/one.txt", b"The term is two years.")
    assert put[0] == 200, put

    def written():
        return any(file["path"] == "/one.analysis.md" for file in call("GET", sandbox.fastio + "state")[1]["files"])

    until(written, "the contract is not analysed")
    moved = call("POST", sandbox.fastio + "move", {"workspace": WORKSPACE, "from": "/one.txt", "to": "/two.txt"})
    assert moved[0] == 200, moved


class Changes:
    """Edits that go on: a rate is of what changes between two looks, and what waits is seen while it does."""

    def __init__(self, sandbox):
        self.url, self.over = f"{sandbox.fastio}files/{WORKSPACE}/edited.txt", threading.Event()
        self.thread = threading.Thread(target=self.go_on)

    def go_on(self):
        number = 0
        while not self.over.wait(0.5):
            number += 1
            call("PUT", self.url, f"The term is {number} years.".encode())

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def panels():
    """Each question of the Grafana dashboard, with its panel, as Grafana asks it for all jobs."""
    for panel in json.loads((ROOT / "deploy/grafana/docket.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "30s").replace("$job", ".*")
            assert "$" not in expression, f"{panel['title']}: a variable that is not known: {expression}"
            yield panel["title"], expression


def main(program, prometheus):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="docket-watch-"))
    came, notify = receiver()
    program = str(pathlib.Path(program).resolve())
    receive = free_port()
    with Sandbox(program, "--webhook", f"http://127.0.0.1:{receive}/webhooks/fastio") as sandbox:
        settings(folder, notify, receive, sandbox)
        watch(program, prometheus, folder, (sandbox, came))


def watch(program, prometheus, folder, world):
    sandbox, came = world
    environment = {
        "PATH": os.environ["PATH"],
        "FASTIO_API_KEY": "a-key-of-fastio",
        "OPENAI_API_KEY": "a-key-of-openai",
        "FASTIO_WEBHOOK_SECRET": "whsec_ZG9ja2V0LXNhbmRib3gtaXMtbm90LXNlY3JldA==",
        "DOCKET_ADMIN_TOKEN": TOKEN,
        "NOTIFY_SECRET": SECRET,
    }
    docket = subprocess.Popen([program, "serve"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    started = None
    try:
        operate = None
        for line in docket.stderr:
            row = json.loads(line)
            if row.get("message") == "docket is ready":
                operate = row["operate"]
                break
        if operate is None:
            sys.exit("watch.py: docket did not become ready")
        threading.Thread(target=docket.stderr.read, daemon=True).start()

        sent = subprocess.run([program, "notify", "test"], cwd=folder, env=environment, capture_output=True, text=True)
        if sent.returncode != 0 or came[0]["type"] != "docket.test":
            sys.exit(f"watch.py: the reference library does not take what is signed: {sent.stdout}{sent.stderr}{came}")

        (folder / "token").write_text(TOKEN)
        rules = ROOT / "deploy/prometheus/docket.rules.yaml"
        (folder / "prometheus.yaml").write_text(
            f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: docket
    static_configs: [{{ targets: ["{operate}"] }}]
    authorization: {{ credentials_file: {folder}/token }}
"""
        )
        log = open(folder / "prometheus.log", "w+")
        started = subprocess.Popen(
            [prometheus, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0"],
            cwd=folder,
            stderr=log,
        )

        def address():
            log.seek(0)
            lines = [line for line in log if "Listening on" in line and "address=" in line]
            return lines and lines[0].split("address=")[1].split()[0].strip('"')

        api = f"http://{until(address, 'Prometheus does not listen')}/api/v1/"

        def ask(path, **query):
            with urllib.request.urlopen(api + path + "?" + urllib.parse.urlencode(query), timeout=10) as answer:
                return json.load(answer)["data"]

        live(sandbox)

        build = until(lambda: ask("query", query="docket_build_info")["result"], "nothing was scraped")
        assert build[0]["metric"]["job"] == "docket", build
        slow = 'count({__name__=~"docket_.+", job="docket"})'
        count = int(ask("query", query=slow)["result"][0]["value"][1])
        assert 50 < count < 2000, f"{count} series"
        groups = until(
            lambda: [g for g in ask("rules")["groups"] if all(r["health"] == "ok" for r in g["rules"])],
            "the rules are not evaluated",
        )
        names = {rule["name"] for rule in groups[0]["rules"]}
        assert "DocketStale" in names, names

        def is_told(expression):
            found = ask("query", query=expression)["result"]
            return any(value["value"][1] != "NaN" for value in found)

        asked = list(panels())
        with Changes(sandbox):
            for title, expression in asked:
                until(lambda: is_told(expression), f"the panel {title!r} has nothing to show: {expression}")
        print(f"each of {len(asked)} questions of the Grafana dashboard has an answer")
        print(f"Prometheus has {count} series of Docket, and evaluates {len(names)} alerts; the signature is the reference's")
    finally:
        for process in (started, docket):
            if process:
                process.terminate()
                process.wait(30)


main(*sys.argv[1:])
