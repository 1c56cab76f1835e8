#!/usr/bin/env python3
"""Docket's traces as others read them. What it sends is decoded by OpenTelemetry's own library, and goes on to Rotel, a collector, which
takes it and hands it on: each span has to come out as it went in. The story has a file that is analysed, and a call that fails.

Usage: python traces.py DOCKET

Rotel comes with the Python that runs this (traces.txt).
"""

import contextlib
import gzip
import http.server
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import rotel
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from checks import check, step
from stands import Sandbox, Server, call, free_port

COLLECTOR = pathlib.Path(rotel.__file__).parent / "rotel-agent"
WORKSPACE = "4829105738291047362"
REQUEST = "0198c1f6-5b7a-7cc3-8d3e-1f2a3b4c5d6e"
SECRET = "whsec_ZG9ja2V0LXNhbmRib3gtaXMtbm90LXNlY3JldA=="
NAME = "docket-as-others-see-it"
PATIENCE_SECONDS = 60
LOOK_AGAIN_SECONDS = 0.1

KINDS = {"webhook": Span.SPAN_KIND_SERVER, "job": Span.SPAN_KIND_CONSUMER, "call": Span.SPAN_KIND_CLIENT}


class Taken:
    """Takes what is exported to it over OTLP as protobuf, and passes it on to another collector."""

    def __init__(self, onward=None):
        self.requests, self.faults = [], []
        taken = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path != "/v1/traces" or self.headers["content-type"] != "application/x-protobuf":
                    taken.faults.append(f"{self.path} {self.headers['content-type']}")
                plain = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
                taken.requests.append(ExportTraceServiceRequest.FromString(plain))
                if onward:
                    headers = {"content-type": self.headers["content-type"]}
                    passed = urllib.request.Request(onward + self.path, data=body, headers=headers)
                    urllib.request.urlopen(passed, timeout=10).read()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def scopes(self):
        for request in self.requests:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    yield resource, scope

    def spans(self):
        return {(bytes(span.trace_id), bytes(span.span_id)): span for _, scope in self.scopes() for span in scope.spans}

    def sent(self):
        return [span for _, scope in self.scopes() for span in scope.spans]


def unknown(message):
    """The fields in a message and all in it that this version of the protocol does not have."""
    found = [field.field_number for field in UnknownFieldSet(message)]
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in [value] if hasattr(value, "ListFields") else value:
                found += unknown(part)
    return found


def values(attributes):
    return {attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value")) for attribute in attributes}


def until(look, what):
    patience = time.monotonic() + PATIENCE_SECONDS
    while not look():
        check(time.monotonic() < patience, what)
        time.sleep(LOOK_AGAIN_SECONDS)


@contextlib.contextmanager
def collector(folder, onward):
    """Rotel as it is published, between OTLP and OTLP."""
    grpc, port = free_port(), free_port()
    command = [
        COLLECTOR, "start", "--pid-file", folder / "rotel.pid", "--log-file", folder / "rotel.log",
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint", f"127.0.0.1:{port}", "--exporter", "otlp",
        "--otlp-exporter-endpoint", onward, "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "none",
    ]
    COLLECTOR.chmod(0o755)
    process = subprocess.Popen(command, stdout=open(folder / "rotel.out", "w"), stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        empty = {"data": b"", "headers": {"content-type": "application/x-protobuf"}}
        until(lambda: takes(urllib.request.Request(url + "/v1/traces", **empty)), "the collector does not start")
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def takes(request):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(request, timeout=5).status == 200


def story(docket, folder, collected):
    """A contract comes and is analysed, while OpenAI fails once."""
    receive = free_port()
    with Sandbox(docket, "--webhook", f"http://127.0.0.1:{receive}/webhooks/fastio") as sandbox:
        settings = folder / "docket.toml"
        settings.write_text(
            f"[[rule]]\nname = 'papers'\nworkspace = '{WORKSPACE}'\nexclude = ['**/*.analysis.md']\n"
            "vector_store = { create = 'papers' }\n[rule.run]\nmodel = 'sandbox-rules'\ninstructions = 'You read.'\n"
            "prompt = 'What does it say?'\nwrite_back = '{stem}.analysis.md'\n"
        )
        environment = {
            **os.environ, "FASTIO_BASE_URL": sandbox.fastio_base, "OPENAI_BASE_URL": sandbox.openai_base,
            "FASTIO_API_KEY": "a-key", "OPENAI_API_KEY": "a-key", "FASTIO_WEBHOOK_SECRET": SECRET,
            "DATABASE_URL": f"sqlite://{folder}/docket.db", "DOCKET_OPERATE__LISTEN": "off",
            "DOCKET_RECEIVE__LISTEN": f"127.0.0.1:{receive}", "OTEL_EXPORTER_OTLP_ENDPOINT": collected,
            "OTEL_SERVICE_NAME": NAME,
        }
        ready = [f"http://127.0.0.1:{receive}/readyz"]
        quiet = open(folder / "docket.log", "w")
        with Server([docket, "serve", "--config", settings], ready, env=environment, stderr=quiet):
            fault = {"kind": "server_error", "status": 500, "path": "/v1/files", "method": "POST", "count": 1}
            told = call("POST", sandbox.openai + "faults", [fault])
            check(told[0] in (200, 201), f"the fault is not known: {told}")
            put = call("PUT", f"{sandbox.fastio}files/{WORKSPACE}/one.txt", b"The term is two years.")
            check(put[0] == 200, f"putting a file: {put}")

            def written():
                files = call("GET", sandbox.fastio + "state")[1]["files"]
                return any(file["path"].endswith("one.analysis.md") for file in files)

            until(written, "the result is not written back")
            call("GET", sandbox.fastio + "webhooks/idle", patience=PATIENCE_SECONDS)
    step("a file was analysed, after a call that failed; the server was stopped")


def judge(taken):
    """What OpenTelemetry's documents ask of traces, and Docket's of its own."""
    now = time.time_ns()
    check(taken.requests and not taken.faults, f"what came is no OTLP: {taken.faults}")
    for request in taken.requests:
        check(not unknown(request), f"fields that the protocol does not have: {unknown(request)}")
    for resource, scope in taken.scopes():
        told = values(resource.resource.attributes)
        check(told["service.name"] == NAME and told["service.version"], f"who sends: {told}")
        check(told["telemetry.sdk.language"] == "rust", f"who sends: {told}")
        check((scope.scope.name, scope.scope.version) == ("docket", told["service.version"]), f"the scope: {scope.scope}")
    spans = taken.spans()
    check(len(spans) == len(taken.sent()), "a span came twice, or two have one id")
    step(f"{len(spans)} spans are what the protocol says, and say who sent them")
    for (trace, own), span in spans.items():
        check(len(trace) == 16 and any(trace) and len(own) == 8 and any(own), f"ids: {span}")
        check(0 < span.start_time_unix_nano <= span.end_time_unix_nano <= now, f"times: {span}")
        check(KINDS[span.name.split(":")[0]] == span.kind, f"its kind: {span}")
        attributes = values(span.attributes)
        check(len(attributes) == len(span.attributes), f"an attribute is there twice: {span}")
        failed = attributes.get("http.response.status_code", 0) >= 400
        check(not failed or span.status.code == Status.STATUS_CODE_ERROR, f"a failure is none: {span}")
        check(bool(span.status.message) == (span.status.code == Status.STATUS_CODE_ERROR), f"its status: {span}")
        if span.parent_span_id:
            above = spans.get((trace, bytes(span.parent_span_id)))
            check(above, f"its parent was not sent: {span}")
            check(above.start_time_unix_nano <= span.start_time_unix_nano, f"it began before its parent: {span}")
            check((above.name.split(":")[0], span.name.split(":")[0]) in [("webhook", "job"), ("job", "call"), ("webhook", "call")],
                  f"its parent is another: {above} {span}")
    step("each has its ids, its times, its kind and its parent, and what failed says so")
    roots = {trace: span for (trace, _), span in spans.items() if not span.parent_span_id}
    check(len(roots) == sum(not span.parent_span_id for span in spans.values()), "a trace has two roots")
    # A server asks for its vector stores when it starts, and a sweep for all there is; whatever else it asks, it was told to.
    untold = [span.name for span in roots.values() if span.name != "webhook" and not span.name.startswith("call: listing ")]
    check(not untold, f"calls and jobs that nothing led to: {untold}")
    analysed = [span for span in spans.values() if span.name == "call: starting a run"]
    traces = {bytes(span.trace_id) for span in analysed}
    check(len(traces) == 1 and roots[traces.pop()].name == "webhook", f"the run does not go back to a webhook: {analysed}")
    failed = [span for span in spans.values() if values(span.attributes).get("http.response.status_code") == 500]
    check(len(failed) == 1 and failed[0].name == "call: uploading a file", f"the call that failed: {failed}")
    step("the run goes back to the webhook, and the call that failed is one of them")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="docket-traces-"))
    end = Taken()
    with collector(folder, end.url) as url:
        taken = Taken(onward=url)
        story(str(pathlib.Path(sys.argv[1]).resolve()), folder, taken.url)
        judge(taken)
        until(lambda: len(end.spans()) >= len(taken.spans()), f"the collector hands on {len(end.spans())} of {len(taken.spans())}")
    check(end.spans() == taken.spans(), "the collector hands on something else than it got")
    step("a collector takes them, and hands each on as it was")


main()
