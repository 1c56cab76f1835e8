"""What every script here does with what it sees: one line for each step, and an end at the first thing that is wrong."""

import sys


def step(text):
    print(f"ok  {text}", flush=True)


def check(condition, text):
    if not condition:
        print(f"BAD {text}", flush=True)
        sys.exit(1)


def refused(kind, text, call):
    try:
        call()
    except kind as error:
        check(error.body is None or "message" in error.body, f"{text}: the error has no message")
        check(error.request_id, f"{text}: the error has no request id")
        return step(f"refused: {text} ({error.status_code} {error.code})")
    check(False, f"{text}: was not refused")
