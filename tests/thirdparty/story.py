"""What a person does in Fastio while Docket keeps another server in step, and what has to be true at the end."""

import json
import subprocess
import time
import urllib.parse

from checks import check, step
from stands import call

WORKSPACE = "4829105738291047362"

# How long one step may take. A server that makes embeddings while the client waits takes seconds for a file.
PATIENCE_SECONDS = 180
LOOK_AGAIN_SECONDS = 0.5

# Of all kinds that are uploaded as they are or as text; the others are skipped with a reason, which is none of this story.
FILES = {
    "Contracts/nda.txt": "The term is two years. Liability is capped at EUR 50,000.",
    "Contracts/msa.md": "# Services\n\nThe Supplier shall indemnify the Customer.",
    "Contracts/Ünïcode 契約書.md": "# 契約\n\nalphaone",
    "Contracts/it's \"quoted\".txt": "quoted words",
    "Papers/page.html": "<p>A page about deliveries.</p>",
    "Papers/rows.csv": "name,amount\nann,1\nbob,2\n",
    "Papers/deep/er/notes.txt": "Notes that lie deep.",
    "Papers/CAPITALS.TXT": "Loud words.",
    "Papers/away.txt": "This goes away.",
}

# OGX's own reader of files refuses it, which makes an honest dead job.
NOT_FOR_OGX = {"Papers/data.json": '{"clause": "payment within thirty days"}'}


class Story:
    def __init__(self, docket, settings, environment, sandbox, lists, files):
        self.docket, self.settings, self.environment = docket, settings, environment
        self.sandbox, self.lists, self.files = sandbox, lists, files

    def write_settings(self, model):
        # Runs over what is new in one folder; their results are no sources.
        self.settings.write_text(
            f"[[rule]]\nname = 'papers'\nworkspace = '{WORKSPACE}'\nexclude = ['/Runs/**']\n"
            "vector_store = { create = 'papers' }\n"
            f"[[rule]]\nname = 'runs'\nworkspace = '{WORKSPACE}'\ninclude = ['/Runs/**']\nexclude = ['**/*.analysis.md']\n"
            "vector_store = { create = 'runs' }\n"
            f"[rule.run]\nmodel = '{model}'\ninstructions = 'You read.'\nprompt = 'What does it say?'\n"
            "attach = ['file_search']\nwrite_back = '{stem}.analysis.md'\n"
        )

    # -- What a person does ----------------------------------------------------------------------------------------

    def at(self, path):
        return f"{self.sandbox.fastio}files/{WORKSPACE}/{urllib.parse.quote(path)}"

    def put(self, path, text):
        check(call("PUT", self.at(path), text.encode())[0] == 200, f"putting {path}")

    def delete(self, path):
        check(call("DELETE", self.at(path))[0] == 200, f"deleting {path}")

    def change(self, what, **fields):
        status, answer = call("POST", self.sandbox.fastio + what, {"workspace": WORKSPACE, **fields})
        check(status == 200, f"{what} {fields}: {answer}")

    # -- What Docket says --------------------------------------------------------------------------------------------

    def ask(self, *words):
        command = [self.docket, *words, "--json", "--config", str(self.settings)]
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        check(answer.stdout, f"docket {' '.join(words)}: {answer.stderr}")
        return json.loads(answer.stdout)

    def settle(self, what):
        """Waits until nothing is left to do; a job that died has ended too, and is told of at once."""
        call("GET", self.sandbox.fastio + "webhooks/idle", patience=PATIENCE_SECONDS)
        patience, quiet = time.monotonic() + PATIENCE_SECONDS, 0
        while quiet < 2:
            check(time.monotonic() < patience, f"{what}: the work does not end: {self.ask('jobs', 'list')}")
            dead = self.ask("jobs", "list", "--state", "dead")
            check(not dead, f"{what}: dead jobs: {json.dumps(dead, indent=1)}")
            quiet = 0 if self.ask("jobs", "list") else quiet + 1
            time.sleep(LOOK_AGAIN_SECONDS)
        self.agree(what)
        step(what)

    # -- What both sides hold ----------------------------------------------------------------------------------------

    def pages(self, path):
        found, after = [], ""
        while True:
            status, page = call("GET", f"{self.lists}/{path}?limit=100{after}", headers=self.key())
            check(status == 200, f"{path}: {page}")
            found += page["data"]
            if not page.get("has_more") or not page["data"]:
                return found
            after = f"&after={page['data'][-1]['id']}"

    def key(self):
        return {"Authorization": f"Bearer {self.environment['OPENAI_API_KEY']}"}

    def agree(self, what):
        _, state = call("GET", self.sandbox.fastio + "state")
        wanted = {
            file["path"]: file["version"].replace("-", "") for file in state["files"]
            if not file["trashed"] and not file["path"].endswith(".analysis.md")
        }
        stores = {store["name"]: store["id"] for store in self.pages("vector_stores")}
        entries = [entry for name in ("papers", "runs") if name in stores
                   for entry in self.pages(f"vector_stores/{stores[name]}/files")]
        unread = [entry["id"] for entry in entries if entry["status"] != "completed"]
        check(not unread, f"{what}: not indexed: {unread}")
        held = sorted((entry["attributes"]["path"], entry["attributes"]["version"].replace("-", "")) for entry in entries)
        check(held == sorted(wanted.items()), f"{what}: held {held}\nwanted {sorted(wanted.items())}")
        objects, attached = {file["id"] for file in self.pages("files")}, {entry["id"] for entry in entries}
        check(objects == attached, f"{what}: orphans {objects - attached}, ghosts {attached - objects}")

    def finds(self, words, gone):
        """Whether a search finds what is there now, and nothing of what was there before. By its text: what OGX says is the file
        of a hit is the id of a piece."""
        store = next(store["id"] for store in self.pages("vector_stores") if store["name"] == "papers")
        body = {"query": words, "max_num_results": 10}
        status, page = call("POST", f"{self.lists}/vector_stores/{store}/search", body, headers=self.key())
        check(status == 200 and page["data"], f"a search for {words}: {page}")
        texts = ["".join(part["text"] for part in hit["content"]) for hit in page["data"]]
        check(words in texts[0], f"a search for {words} finds {texts}")
        check(not any(gone in text for text in texts), f"a search still finds {gone}: {texts}")

    # -- The story -----------------------------------------------------------------------------------------------------

    def tell(self):
        for path, text in self.files.items():
            self.put(path, text)
        self.settle(f"{len(self.files)} files are added")
        for number in ("betatwo", "gammathree"):
            for path in ("Contracts/nda.txt", "Contracts/Ünïcode 契約書.md", "Papers/page.html"):
                self.put(path, f"It says {number} now, in {path}.")
            self.settle(f"three files are edited: {number}")
        self.finds("gammathree now, in Contracts/nda.txt", gone="betatwo")
        self.change("move", **{"from": "/Contracts/msa.md", "to": "/Contracts/services.md"})
        self.settle("a file is renamed")
        self.change("move", **{"from": "/Papers/deep", "to": "/Contracts/deep"})
        self.settle("a folder is moved")
        self.change("copy", **{"from": "/Contracts/deep", "to": "/Archive"})
        self.settle("a folder is copied")
        self.delete("Papers/away.txt")
        self.delete("Contracts/Ünïcode 契約書.md")
        self.settle("two files are deleted")
        self.change("restore", path="/Papers/away.txt")
        self.settle("a file is restored")
        self.put("Papers/away.txt", "This stays after all: deltafour.")
        self.settle("a restored file is edited")
        self.finds("deltafour", gone="This goes away")
        self.runs()
        swept = self.ask("sweep")
        found = (swept["outcome"], swept["report"]["queued"])
        check(found == ("done", 0), f"docket sweep: {json.dumps(swept, indent=1)}")
        self.settle("a sweep changes nothing")

    def runs(self):
        self.put("Runs/one.txt", "A paper that is read by a run.")
        self.put("Runs/two.md", "# Another\n\nThat is read by a run.")
        self.settle("two files with runs are added")
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            runs = self.ask("runs", "list")
            states = sorted(run.get("outcome") or run.get("state") or "?" for run in runs)
            if states == ["completed", "completed"]:
                break
            check(time.monotonic() < patience, f"the runs do not end: {json.dumps(runs, indent=1)}")
            time.sleep(LOOK_AGAIN_SECONDS)
        self.settle("both runs are completed")
        _, state = call("GET", self.sandbox.fastio + "state")
        written = sorted(file["path"] for file in state["files"] if file["path"].endswith(".analysis.md"))
        check(written == ["/Runs/one.analysis.md", "/Runs/two.analysis.md"], f"written back: {written}")
        step("their results are written back")
