"""The rest of what OpenAI's official SDK can do with responses: streams, webhooks, containers, history, parsing, many at once.

`openai_sdk.py` calls it with a client that validates every reply strictly.
"""

import asyncio
import http.server
import queue
import threading

import openai
from pydantic import BaseModel

from checks import check, refused, step

PATIENCE_SECONDS = 20
PARALLEL = 20


def streams(client, model):
    events = list(client.responses.create(model=model, input="Hello", stream=True))
    check(events[0].type == "response.created", "a stream begins")
    check([event.sequence_number for event in events] == list(range(len(events))), "events are numbered")
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    end = events[-1]
    check(end.type == "response.completed" and end.response.output_text == said, "pieces make the whole")
    step("responses.create(stream=True)")
    with client.responses.stream(model=model, input="Hello") as stream:
        for _ in stream:
            pass
        check(stream.get_final_response().output_text == said, "the helper puts them together")
    step("responses.stream")
    begun = list(client.responses.create(model=model, input="Hello", stream=True, background=True))
    check(begun[-1].type == "response.completed", "a stream of the background ends")
    id = begun[0].response.id
    again = list(client.responses.retrieve(id, stream=True, starting_after=2))
    check([event.type for event in again] == [event.type for event in begun[3:]], "a stream is taken up again")
    step("responses.retrieve(stream=True)")


class Findings(BaseModel):
    class Clause(BaseModel):
        quote: str

    clauses: list[Clause]


def history(client, model, file):
    content = [{"type": "input_text", "text": "Which?"}, {"type": "input_file", "file_id": file.id}]
    parsed = client.responses.parse(
        model=model, input=[{"role": "user", "content": content}], text_format=Findings
    )
    check(parsed.output_parsed.clauses[0].quote.startswith("The Supplier's"), "responses.parse")
    step("responses.parse")
    second = client.responses.create(model=model, input="And now?", previous_response_id=parsed.id)
    items = client.responses.input_items.list(second.id, order="asc").data
    check([item.role for item in items] == ["user", "assistant", "user"], "what was said before is carried on")
    step("previous_response_id")
    unknown = lambda: client.responses.create(model=model, input="x", previous_response_id="resp_none")
    refused(openai.BadRequestError, "an unknown previous response", unknown)
    for text, more in [
        ("a temperature of 9", {"temperature": 9}),
        ("an unknown include", {"include": ["everything"]}),
        ("an unknown tool", {"tools": [{"type": "magic"}]}),
        ("code without a container", {"tools": [{"type": "code_interpreter"}]}),
        ("a long request id", {"extra_headers": {"X-Client-Request-Id": "x" * 513}}),
    ]:
        refused(openai.BadRequestError, text, lambda: client.responses.create(model=model, input="x", **more))
    counted = client.responses.input_tokens.count(model=model, input="x" * 400)
    check(counted.input_tokens == 101, "responses.input_tokens.count")
    step("responses.input_tokens.count")
    # The SDK's own type knows no message of a user in the answer, of which the document says that it comes first.
    raw = client.responses.with_raw_response.compact(model=model, previous_response_id=second.id)
    output = raw.http_response.json()["output"]
    check([item["type"] for item in output] == ["message", "message", "compaction"], "responses.compact")
    step("responses.compact")
    for response in (parsed, second):
        client.responses.delete(response.id)


def containers(client, model, file):
    made = client.containers.create(name="mine", file_ids=[file.id], memory_limit="4g")
    check(client.containers.retrieve(made.id).status == "running", "containers.retrieve")
    check(made.id in [known.id for known in client.containers.list(limit=1)], "containers.list, several pages")
    step("containers.create, retrieve, list")
    put = client.containers.files.create(made.id, file=("more.csv", b"a,b"))
    check(client.containers.files.retrieve(put.id, container_id=made.id).bytes == 3, "containers.files.retrieve")
    step("containers.files.create, retrieve")
    tools = [{"type": "code_interpreter", "container": made.id}]
    done = client.responses.create(model=model, input="Count", tools=tools)
    call = [item for item in done.output if item.type == "code_interpreter_call"][0]
    check(call.container_id == made.id, "code runs in the container that was named")
    files = list(client.containers.files.list(made.id, limit=1, order="asc"))
    check([file.source for file in files] == ["user", "user", "assistant"], "containers.files.list, several pages")
    content = client.containers.files.content.retrieve(files[-1].id, container_id=made.id)
    check(content.read().startswith(b"file,words"), "containers.files.content")
    step("containers.files.list, content")
    client.containers.files.delete(put.id, container_id=made.id)
    client.containers.delete(made.id)
    gone = lambda: client.containers.retrieve(made.id)
    refused(openai.NotFoundError, "a deleted container", gone)


class Receiver(http.server.BaseHTTPRequestHandler):
    taken = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.put((body, dict(self.headers)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def webhooks(client, model):
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hooks"
    made = client.webhooks.create(name="mine", url=url, event_types=["response.completed"])
    check(made.id in [known.id for known in client.webhooks.list()], "webhooks.list")
    begun = client.responses.create(model=model, input="Hello", background=True)
    body, headers = Receiver.taken.get(timeout=PATIENCE_SECONDS)
    event = client.webhooks.unwrap(body, headers, secret=made.signing_secret)
    check((event.type, event.data.id) == ("response.completed", begun.id), "a webhook is sent and its signature right")
    step("webhooks.create, list, unwrap")
    try:
        client.webhooks.verify_signature(body, headers, secret="whsec_" + "A" * 32)
        check(False, "a wrong secret was accepted")
    except openai.InvalidWebhookSignatureError:
        step("refused: a webhook of another secret")
    rotated = client.webhooks.rotate_secret(made.id)
    check(rotated.signing_secret != made.signing_secret, "webhooks.rotate_secret")
    tested = client.webhooks.test(made.id, event_type="response.failed")
    body, headers = Receiver.taken.get(timeout=PATIENCE_SECONDS)
    check(tested.status_code == 200, "webhooks.test")
    check(client.webhooks.unwrap(body, headers, secret=rotated.signing_secret).type == "response.failed", "the sample")
    check("response.completed" in client.webhooks.event_types.list().data, "webhooks.event_types.list")
    check(client.webhooks.delete(made.id).deleted, "webhooks.delete")
    step("webhooks.rotate_secret, test, event_types, delete")
    server.shutdown()


def at_once(base_url, key, model):
    async def run():
        client = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True)
        runs = [client.responses.create(model=model, input=f"Number {n}") for n in range(PARALLEL)]
        done = await asyncio.gather(*runs)
        await asyncio.gather(*(client.responses.delete(response.id) for response in done))
        return [response.status for response in done]

    check(asyncio.run(run()) == ["completed"] * PARALLEL, "twenty at once")
    step(f"{PARALLEL} responses at once")


def limits(client):
    raw = client.models.with_raw_response.list()
    check(int(raw.headers["x-ratelimit-remaining-requests"]) > 0, "x-ratelimit headers")
    step("x-ratelimit headers")


def all_of_it(client, model, file):
    streams(client, model)
    history(client, model, file)
    containers(client, model, file)
    webhooks(client, model)
    at_once(str(client.base_url), client.api_key, model)
    limits(client)
