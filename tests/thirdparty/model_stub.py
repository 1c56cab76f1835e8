#!/usr/bin/env python3
"""A server of models that understands nothing: what OGX asks for embeddings and for answers, since it has no weights here.

Usage: python model_stub.py PORT
"""

import http.server
import json
import re
import sys
import zlib

DIMENSIONS = 64
CHAT, EMBED = "stub-chat", "stub-embed"


def embedding(text):
    """A bag of words: texts that share words are near to each other."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    length = sum(value * value for value in vector) ** 0.5 or 1.0
    return [value / length for value in vector]


class Models(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, kind="application/json"):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        models = [{"id": name, "object": "model", "created": 1, "owned_by": "stub"} for name in (CHAT, EMBED)]
        self.answer({"object": "list", "data": models})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/embeddings"):
            texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
            data = [{"object": "embedding", "index": n, "embedding": embedding(text)} for n, text in enumerate(texts)]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            return self.answer({"object": "list", "model": EMBED, "data": data, "usage": usage})
        self.chat(asked)

    def chat(self, asked):
        text = f"This is a stub's answer to {len(asked['messages'])} messages."
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        base = {"id": "chatcmpl-1", "created": 1, "model": CHAT}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            return self.answer({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
        chunk = {**base, "object": "chat.completion.chunk"}
        said = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        events = [{**chunk, "choices": [said]}, {**chunk, "choices": [end]}, {**chunk, "choices": [], "usage": usage}]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        self.answer("".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Models).serve_forever()
