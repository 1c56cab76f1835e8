#!/usr/bin/env python3
"""Walks through the dashboard of `docket demo` as a new user would, in a real browser, without the command line.

Usage: walk.py DOCKET CHROMIUM FOLDER

From "is it well?" to "why can this file not be searched?" to "read the quotes that are not proven, and accept the run". No page may
break the policy it is sent with or complain in the console, each has to fit a phone, and all are there without a script. A picture of
each, wide and narrow, light and dark, is left in FOLDER.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

from chromium import PATIENCE, Browser

CONTRACT = os.path.join(os.path.dirname(__file__), "../../examples/legal/contracts/mutual-nda.txt")


def fetch(url, method="GET", body=None):
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode()


def until(what, look):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come")


class Demo:
    """`docket demo`, with what it prints."""

    def __init__(self, docket):
        self.process = subprocess.Popen([docket, "demo"], stdout=subprocess.PIPE, text=True)
        self.said = ""
        self.pages = self.find(r"Watch it in a browser at (\S+)")
        assert "1  Three contracts" not in self.said, "the address comes before the story begins"

    def find(self, pattern):
        while not (found := re.search(pattern, self.said)):
            line = self.process.stdout.readline()
            assert line, f"the demo ended: {self.said}"
            self.said += line
        return found.group(1)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def walk(browser, demo):
    browser.go(demo.pages)
    assert browser.text("h1") == "Overview", browser.text("body")
    assert "Needs a person: 0" in browser.text("#person")
    assert browser.text(".environment") == "demo"

    # Why can this file not be searched?
    browser.click('.numbers a[href="/files?state=skipped"]')
    browser.click("tbody a[href^='/file?id=']")
    why = browser.text("#why")
    assert "skipped" in why and "empty" in why, why

    # The quotes that are not proven, with the keys alone.
    browser.click('nav a[href="/runs"]')
    browser.key("j")
    assert "needs review" in browser.text("tr.here"), browser.text("main")
    browser.click("tr.here a[href^='/runs/']")
    run = browser.value("location.pathname")
    assert browser.text(".finding .state") == "unverified", browser.text("main")
    assert browser.text(".finding mark") != ""
    browser.key("?")
    assert browser.value("document.getElementById('keys').open")
    browser.value("document.getElementById('keys').close()")
    browser.key("r")
    assert browser.value("document.activeElement.id") == "reason"
    browser.type("read beside the contract")
    browser.value("document.activeElement.blur()")
    browser.do(lambda: browser.key("a"))
    assert browser.value("location.pathname") == run, browser.text("body")
    judgement = browser.text("#judgement")
    assert "Accepted on" in judgement and "read beside the contract" in judgement, judgement
    browser.click('nav a[href="/log"]')
    assert "accept run" in browser.text("main")
    return run


def updates(browser, demo):
    """A page reads itself anew, but not while it is paused, in use, or something in it is chosen."""
    browser.go(demo.pages + "webhooks")
    browser.value("document.activeElement.blur()")
    before = browser.text("#as-of")
    until("an update", lambda: browser.text("#as-of") != before)
    browser.key("p")
    assert browser.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    browser.go(demo.pages + "sweeps")
    browser.go(demo.pages)
    assert browser.text("#pause") == "Go on with updates", "the choice goes along"
    stays(browser)
    browser.key("p")
    before = browser.text("#as-of")
    until("an update", lambda: browser.text("#as-of") != before)
    browser.value("document.querySelector('main a').focus()")
    stays(browser)
    browser.value("document.activeElement.blur()")


def stays(browser):
    """Two updates would have come by now."""
    before = browser.text("#as-of")
    browser.value("new Promise((done) => setTimeout(done, 11000))")
    assert browser.text("#as-of") == before, "it read itself anew"


# The words of a table, or their parts between hyphens, that do not stand in one line. Longer ones, such as paths and ids, may be broken.
BROKEN = """
[...document.querySelectorAll('td, th')].flatMap((cell) => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [], range = document.createRange()
    for (let text; (text = texts.nextNode());) {
        for (const word of text.data.matchAll(/[^\\s-]+/g)) {
            range.setStart(text, word.index)
            range.setEnd(text, word.index + word[0].length)
            const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)))
            if (word[0].length <= 24 && lines.size > 1) broken.push(word[0])
        }
    }
    return broken
})
"""


def pictures(browser, demo, run, folder):
    file = browser_file(browser, demo)
    places = {
        "overview": "", "files": "files", "file": file, "runs": "runs", "review": run.lstrip("/"), "folders": "runs/folders",
        "webhooks": "webhooks", "jobs": "jobs", "sweeps": "sweeps", "sweep": sweep(browser, demo), "settings": "settings", "log": "log",
    }
    for name, place in places.items():
        for width in (1280, 390):
            for scheme in ("light", "dark"):
                browser.looks(width, scheme)
                browser.go(demo.pages + place)
                assert browser.text("h1"), place
                needed = browser.value("document.documentElement.scrollWidth")
                assert needed <= width, f"{place} needs {needed} pixels of {width}"
                broken = browser.value(BROKEN)
                assert broken == [], f"{place} at {width} breaks {broken}"
                browser.picture(os.path.join(folder, f"{name}-{width}-{scheme}.png"))
    browser.looks(1280, "light")


def sweep(browser, demo):
    """Asks for a sweep in its page, and answers where what it found is."""
    browser.go(demo.pages + "sweeps")
    browser.click("button[value='dry sweep']")
    until("a sweep", lambda: "dry run" in fetch(demo.pages + "sweeps"))
    browser.go(demo.pages + "sweeps")
    return browser.value("document.querySelector(\"tbody a[href^='/sweeps/']\").getAttribute('href')").lstrip("/")


def browser_file(browser, demo):
    browser.go(demo.pages + "files?state=skipped")
    return browser.value("document.querySelector(\"tbody a[href^='/file?id=']\").getAttribute('href')").lstrip("/")


def without_script(browser, demo, run):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    for place, words in (("", "Freshness"), ("files", "Show"), (run.lstrip("/"), "Findings")):
        browser.go(demo.pages + place)
        assert words in fetch(demo.pages + place)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


def main():
    docket, chromium, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    demo = Demo(docket)
    try:
        demo.find(r"(Everything stays up until Ctrl-C)")
        files = demo.find(r"\bF=(\S+)")
        openai = until("the stand-in's address", lambda: demo.find(r"curl \S+state\s+curl (\S+)state"))
        fault = json.dumps({"kind": "bad_run", "code": "invented_quote", "count": 1}).encode()
        fetch(openai + "faults", "POST", fault)
        with open(CONTRACT, "rb") as contract:
            fetch(f"{files}/Review/amended-nda.txt", "PUT", contract.read())
        fetch(f"{files}/Contracts/empty.txt", "PUT", b"")
        until("a run that needs review", lambda: "amended-nda" in fetch(demo.pages + "runs?state=needs_review"))
        until("a file that is skipped", lambda: "empty.txt" in fetch(demo.pages + "files?state=skipped"))
        browser = Browser(chromium)
        try:
            run = walk(browser, demo)
            updates(browser, demo)
            pictures(browser, demo, run, folder)
            without_script(browser, demo, run)
            assert browser.complaints == [], browser.complaints
        finally:
            browser.close()
    finally:
        demo.stop()
    print(f"the dashboard was walked through without a complaint; its pictures are in {folder}")


main()
