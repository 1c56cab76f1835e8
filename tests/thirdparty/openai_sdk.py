#!/usr/bin/env python3
"""Drives OpenAI's official SDK, unchanged and validating every reply strictly, against a server that claims to speak OpenAI's
API.

Usage: OPENAI_BASE_URL=http://127.0.0.1:9102/v1 python openai_sdk.py

Prints one line for each step and exits with 1 at the first thing that is not as OpenAI documents it. It makes and
deletes what it needs and nothing else, so it can be repeated against the same server. Needs: pip install openai
"""

import io
import os
import sys
import time

import openai
from openai import OpenAI

import openai_more
from checks import check, refused, step

LIABILITY = (
    b"# Master services agreement\n\nThe term is two years. The Supplier's aggregate liability is capped at EUR 50,000. "
    b"The Customer shall indemnify the Supplier against claims of third parties.\n"
)
KEPT_SHORT = b"Payment is due within thirty days of the invoice. Interest is five per cent.\n"


def files(client):
    made = client.files.create(file=("msa.md", LIABILITY, "text/markdown"), purpose="assistants")
    check(made.id.startswith("file-") and made.bytes == len(LIABILITY), "files.create")
    check(made.filename == "msa.md" and made.object == "file", "files.create")
    step("files.create")
    check(client.files.retrieve(made.id) == made, "files.retrieve")
    step("files.retrieve")
    more = [client.files.create(file=(f"n{n}.txt", KEPT_SHORT), purpose="assistants") for n in range(5)]
    seen = [file.id for file in client.files.list(limit=2, order="desc", purpose="assistants")]
    check(seen[:6] == [file.id for file in reversed([made, *more])], "files.list pages in order")
    step("files.list, several pages")
    own = client.files.create(
        file=("own.txt", KEPT_SHORT), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    check(own.expires_at and own.expires_at >= own.created_at + 3600, "files.create expires_after")
    check(client.files.content(own.id).read() == KEPT_SHORT, "files.content")
    step("files.content")
    for file in [*more, own]:
        check(client.files.delete(file.id).deleted, "files.delete")
    step("files.delete")
    refused(openai.NotFoundError, "a deleted file", lambda: client.files.retrieve(own.id))
    empty = lambda: client.files.create(file=("empty.txt", b""), purpose="assistants")
    refused(openai.BadRequestError, "an empty file", empty)
    odd = lambda: client.files.create(file=("a.txt", b"a"), purpose="decoration")
    refused(openai.BadRequestError, "an unknown purpose", odd)
    return made


def uploads(client):
    content = LIABILITY * 40
    begun = client.uploads.create(
        filename="long.txt", purpose="assistants", bytes=len(content), mime_type="text/plain"
    )
    half = len(content) // 2
    parts = [
        client.uploads.parts.create(begun.id, data=piece).id for piece in (content[:half], content[half:])
    ]
    done = client.uploads.complete(begun.id, part_ids=parts)
    check(done.status == "completed" and done.file.bytes == len(content), "uploads.complete")
    client.files.delete(done.file.id)
    step("uploads.create, parts, complete")
    whole = client.uploads.upload_file_chunked(
        file=io.BytesIO(content).getvalue(), filename="chunked.txt", bytes=len(content), mime_type="text/plain",
        purpose="assistants", part_size=1000,
    )
    check(whole.file.filename == "chunked.txt", "uploads.upload_file_chunked")
    client.files.delete(whole.file.id)
    step("uploads.upload_file_chunked")
    begun = client.uploads.create(filename="x.txt", purpose="assistants", bytes=5, mime_type="text/plain")
    part = client.uploads.parts.create(begun.id, data=b"123")
    short = lambda: client.uploads.complete(begun.id, part_ids=[part.id])
    refused(openai.BadRequestError, "an upload of the wrong size", short)
    check(client.uploads.cancel(begun.id).status == "cancelled", "uploads.cancel")
    step("uploads.cancel")


def vector_store(client, file):
    store = client.vector_stores.create(name="contracts", metadata={"made_by": "test"})
    check(store.id.startswith("vs_") and store.status == "completed", "vector_stores.create")
    step("vector_stores.create")
    entry = client.vector_stores.files.create_and_poll(
        file.id, vector_store_id=store.id, attributes={"rule": "contracts", "pages": 3, "signed": True},
        max_wait_seconds=30,
    )
    check(entry.status == "completed" and entry.last_error is None, "files.create_and_poll")
    check(entry.attributes == {"rule": "contracts", "pages": 3, "signed": True}, "attributes as they were given")
    step("vector_stores.files.create_and_poll")
    second = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("payment.txt", KEPT_SHORT), attributes={"rule": "invoices"}
    )
    check(second.status == "completed", "files.upload_and_poll")
    step("vector_stores.files.upload_and_poll")
    listed = [entry.id for entry in client.vector_stores.files.list(store.id, limit=1, filter="completed")]
    check(listed == [second.id, file.id], "files.list pages newest first")
    step("vector_stores.files.list, several pages")
    counts = client.vector_stores.retrieve(store.id).file_counts
    check((counts.completed, counts.total) == (2, 2), "file_counts")
    step("vector_stores.retrieve")
    search(client, store, file, second)
    changed = client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"rule": "archive"})
    check(changed.attributes == {"rule": "archive"}, "files.update replaces")
    step("vector_stores.files.update")
    text = "".join(part.text for part in client.vector_stores.files.content(file.id, vector_store_id=store.id))
    check(text.encode() == LIABILITY, "files.content")
    step("vector_stores.files.content")
    renamed = client.vector_stores.update(store.id, name="old contracts", metadata={})
    check(renamed.name == "old contracts" and renamed.metadata == {}, "vector_stores.update")
    check(store.id in [known.id for known in client.vector_stores.list(limit=1)], "vector_stores.list")
    step("vector_stores.update, list")
    refused_in_store(client, store, file)
    check(client.vector_stores.files.delete(second.id, vector_store_id=store.id).deleted, "files.delete")
    gone = lambda: client.vector_stores.files.retrieve(second.id, vector_store_id=store.id)
    refused(openai.NotFoundError, "a detached file", gone)
    check(client.files.retrieve(second.id).id == second.id, "the file outlives its place in the store")
    client.files.delete(second.id)
    step("vector_stores.files.delete")
    return store


def search(client, store, file, second):
    hits = client.vector_stores.search(store.id, query="cap on the supplier's liability", max_num_results=5).data
    check(hits and hits[0].file_id == file.id and 0 < hits[0].score <= 1, "search ranks the right file first")
    check("EUR 50,000" in hits[0].content[0].text, "search shows the text")
    step("vector_stores.search")
    only = {"type": "and", "filters": [
        {"type": "eq", "key": "rule", "value": "invoices"}, {"type": "ne", "key": "signed", "value": True},
    ]}
    hits = client.vector_stores.search(store.id, query=["supplier", "invoice", "payment"], filters=only).data
    check([hit.file_id for hit in hits] == [second.id], "search with filters")
    step("vector_stores.search with filters")


def refused_in_store(client, store, file):
    bad = client.files.create(file=("report.PDF", b"%PDF-1.4 text"), purpose="assistants")
    attach = lambda **more: client.vector_stores.files.create(store.id, **{"file_id": bad.id, **more})
    refused(openai.BadRequestError, "an extension in capitals", attach)
    client.files.delete(bad.id)
    refused(openai.NotFoundError, "an unknown file", attach)
    many = {str(n): n for n in range(17)}
    refused(openai.BadRequestError, "17 attributes", lambda: attach(file_id=file.id, attributes=many))
    long = {"path": "x" * 513}
    refused(openai.BadRequestError, "a long attribute", lambda: attach(file_id=file.id, attributes=long))
    refused(openai.BadRequestError, "an unknown member", lambda: attach(extra_body={"colour": "red"}))
    refused(openai.NotFoundError, "an unknown store", lambda: client.vector_stores.retrieve("vs_unknown"))
    refused(openai.BadRequestError, "an id of the wrong kind", lambda: client.vector_stores.retrieve("store-1"))
    refused(openai.BadRequestError, "a limit of 101", lambda: client.vector_stores.list(limit=101))
    keyless = {"Authorization": "Bearer"}
    refused(openai.AuthenticationError, "no key", lambda: client.files.list(extra_headers=keyless))


def batches(client, store):
    ids = [client.files.create(file=(f"b{n}.txt", KEPT_SHORT), purpose="assistants").id for n in range(3)]
    ids.append(client.files.create(file=("b.csv", b"a,b"), purpose="assistants").id)
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=ids, attributes={"batch": 1})
    counts = batch.file_counts
    check((batch.status, counts.completed, counts.failed) == ("completed", 3, 1), "file_batches.create_and_poll")
    step("vector_stores.file_batches.create_and_poll")
    failed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, filter="failed").data
    check([entry.last_error.code for entry in failed] == ["unsupported_file"], "file_batches.list_files")
    step("vector_stores.file_batches.list_files")
    client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    step("vector_stores.file_batches.cancel")
    for file in ids:
        client.vector_stores.files.delete(file, vector_store_id=store.id)
        client.files.delete(file)


def conversations(client):
    talk = client.conversations.create(metadata={"job": "1"}, items=[{"role": "user", "content": "Hello"}])
    check(client.conversations.retrieve(talk.id).metadata == {"job": "1"}, "conversations.retrieve")
    client.conversations.update(talk.id, metadata={"job": "2"})
    added = client.conversations.items.create(talk.id, items=[{"role": "user", "content": "Again"}])
    items = list(client.conversations.items.list(talk.id, order="asc", limit=1))
    check([item.content[0].text for item in items] == ["Hello", "Again"], "conversations.items.list")
    check(client.conversations.items.retrieve(added.data[0].id, conversation_id=talk.id).role == "user", "an item")
    client.conversations.items.delete(added.data[0].id, conversation_id=talk.id)
    step("conversations and their items")
    return talk


def ended(client, response):
    for _ in range(300):
        response = client.responses.retrieve(response.id)
        if response.status not in ("queued", "in_progress"):
            return response
        time.sleep(0.05)
    check(False, "the response does not end")


def responses(client, model, file, store, talk):
    content = [{"type": "input_text", "text": "Which liability?"}, {"type": "input_file", "file_id": file.id}]
    request = dict(
        model=model, background=True, store=True, instructions="Quote.", conversation=talk.id,
        input=[{"role": "user", "content": content}], metadata={"job": "7"}, max_output_tokens=4000,
        tools=[{"type": "file_search", "vector_store_ids": [store.id], "max_num_results": 3}],
        include=["file_search_call.results"],
    )
    begun = client.responses.create(**request)
    check(begun.status in ("queued", "in_progress") and begun.metadata == {"job": "7"}, "responses.create")
    done = ended(client, begun)
    check(done.status == "completed" and done.usage.total_tokens > 0, "responses.retrieve")
    check("EUR 50,000" in done.output_text, "the answer quotes the document")
    check(done.output[0].type == "file_search_call" and done.output[0].results, "the search is shown")
    step("responses.create in the background, retrieve")
    said = [item.role for item in client.conversations.items.list(talk.id, order="asc") if item.type == "message"]
    check(said == ["user", "user", "assistant"], "the conversation has the run's items")
    step("the conversation has the run's items")
    check(client.responses.cancel(done.id).status == "completed", "cancel of an ended response")
    items = client.responses.input_items.list(done.id).data
    check(len(items) == 1 and items[0].content[1].file_id == file.id, "responses.input_items")
    step("responses.cancel of an ended one, input_items")
    schema = {
        "type": "object", "additionalProperties": False, "required": ["clauses"],
        "properties": {"clauses": {"type": "array", "items": {
            "type": "object", "additionalProperties": False, "required": ["quote"],
            "properties": {"quote": {"type": "string"}},
        }}},
    }
    text = {"format": {"type": "json_schema", "name": "clauses", "schema": schema, "strict": True}}
    shown = client.responses.create(model=model, input=request["input"], text=text)
    check('"quote":"The Customer shall indemnify' in shown.output_text, "an answer by a schema")
    step("responses.create with a JSON schema")
    client.responses.delete(shown.id)
    refused(openai.NotFoundError, "a deleted response", lambda: client.responses.retrieve(shown.id))
    unknown = lambda: client.responses.create(model="no-such-model", input="x")
    refused(openai.BadRequestError, "an unknown model", unknown)


def main():
    if not os.environ.get("OPENAI_BASE_URL"):
        sys.exit(__doc__)
    key = os.environ.get("OPENAI_API_KEY", "sk-test")
    client = OpenAI(api_key=key, max_retries=0, timeout=60, _strict_response_validation=True)
    model = [model.id for model in client.models.list()][0]
    check(client.models.retrieve(model).object == "model", "models.retrieve")
    step("models.list, retrieve")
    file = files(client)
    uploads(client)
    store = vector_store(client, file)
    batches(client, store)
    talk = conversations(client)
    responses(client, model, file, store, talk)
    openai_more.all_of_it(client, model, file)
    check(client.conversations.delete(talk.id).deleted, "conversations.delete")
    check(client.vector_stores.delete(store.id).deleted, "vector_stores.delete")
    client.files.delete(file.id)
    step("conversations.delete, vector_stores.delete")


if __name__ == "__main__":
    main()
