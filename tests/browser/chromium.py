"""Debian's Chromium, driven through its own pipe: no port, no driver, no library."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 120

FLAGS = [
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
]


class Browser:
    """One window. What its pages complain of is kept in `complaints`."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="docket-browser-")
        there, here = os.pipe()
        back, gone = os.pipe()
        # Root has no sandbox for the browser's parts, as in most containers.
        flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else []) + [f"--user-data-dir={self.profile}", "about:blank"]
        shell = f'exec "$0" "$@" 3<&{there} 4>&{gone}'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, program, *flags], pass_fds=(there, gone), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(gone)
        self.write, self.read = here, back
        self.number, self.rest, self.session = 0, b"", None
        self.complaints, self.events = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def next(self):
        """The next message; an event is kept and looked at."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.read, 1 << 16) if ready else b""
            if not piece:
                raise RuntimeError("Chromium says nothing any more")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self.heard(message["method"], message["params"])
        return message

    def heard(self, method, said):
        self.events.append(method)
        if method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{said['entry']['source']}: {said['entry']['text']}")
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(f"console: {said['args']}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {said['exceptionDetails']}")
        elif method == "Audits.issueAdded" and "ContentSecurityPolicy" in said["issue"]["code"]:
            self.complaints.append(f"policy: {said['issue']['details']}")

    def do(self, act):
        """Does what leads to another page, and waits until that is there."""
        self.events.clear()
        act()
        while "Page.loadEventFired" not in self.events:
            self.next()

    def go(self, url):
        self.do(lambda: self.call("Page.navigate", url=url))

    def value(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def text(self, selector):
        return self.value(f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''")

    def click(self, selector):
        found = json.dumps(selector)
        assert self.value(f"!!document.querySelector({found})"), f"there is no {selector} in {self.text('body')}"
        self.do(lambda: self.call("Runtime.evaluate", expression=f"document.querySelector({found}).click()"))

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def looks(self, width, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
