"""What a person would write instead, one change at a time: `sync.py WAY CHANGE BASE_URL TEXT`.

`sdk` does what the documents of OpenAI's library show: upload and attach in one call that waits, then take the old version away. A
touched file is one whose modification time is newer, which is what such scripts look at. `langchain` gives each version to
LangChain's `index()`, which hashes it and keeps a record of what it has written; the vector store behind it is the shortest adapter
that its interface allows. Both keep their notes in a file beside them.
"""
import json, pathlib, sys

import openai

WAY, CHANGE, BASE_URL, TEXT = sys.argv[1:5]
NOTES = pathlib.Path(f"{WAY}.json")
client = openai.OpenAI(base_url=BASE_URL, api_key="key", max_retries=0)
notes = json.loads(NOTES.read_text()) if NOTES.exists() else {}
if "store" not in notes:
    notes["store"] = client.vector_stores.create(name=WAY).id
store, source = notes["store"], {"source_id": WAY}


def put(name, text):
    attached = client.vector_stores.files.upload_and_poll(
        vector_store_id=store, file=(name, text.encode()), attributes=source, poll_interval_ms=20)
    return attached.id


def remove(file):
    client.vector_stores.files.delete(file, vector_store_id=store)
    client.files.delete(file)


def sdk():
    if CHANGE == "delete":
        remove(notes.pop("file"))
        return
    before = notes.get("file")
    name = "signed.txt" if CHANGE == "rename" else "file.txt"
    notes["file"] = put(name, TEXT)
    if before:
        remove(before)


def langchain():
    from langchain_core.documents import Document
    from langchain_core.indexing import InMemoryRecordManager, index
    from langchain_core.vectorstores import VectorStore

    class OpenAiStore(VectorStore):
        def add_documents(self, documents, ids=None, **_):
            for document, key in zip(documents, ids):
                notes.setdefault("files", {})[key] = put("file.txt", document.page_content)
            return ids

        def delete(self, ids=None, **_):
            for key in ids or []:
                remove(notes["files"].pop(key))
            return True

        def add_texts(self, *_, **__):
            raise NotImplementedError

        @classmethod
        def from_texts(cls, *_, **__):
            raise NotImplementedError

        def similarity_search(self, *_, **__):
            raise NotImplementedError

    records = InMemoryRecordManager(namespace="docket")
    records.records = notes.get("records", {})
    documents = [] if CHANGE == "delete" else [Document(page_content=TEXT, metadata={"source": "file"})]
    index(documents, records, OpenAiStore(), cleanup="full", source_id_key="source", key_encoder="sha256")
    notes["records"] = records.records


{"sdk": sdk, "langchain": langchain}[WAY]()
NOTES.write_text(json.dumps(notes))
