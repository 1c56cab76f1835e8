"""A webhook receiver as one writes it with FastAPI: checks the signature, stores the event, answers 202.

A row is committed and synced before its answer. There is no index but the key. SQLite has one writer, so it has one connection,
which is used from the event loop. PEER_DATABASE is a file, or postgresql://…; PEER_PORT where it listens.
"""
import base64, contextlib, hashlib, hmac, json, os, sqlite3, time

import asyncpg, uvicorn
from fastapi import FastAPI, Request, Response

SECRET = os.environ["PEER_SECRET"].encode()
DATABASE = os.environ["PEER_DATABASE"]
WORKERS = int(os.environ["PEER_WORKERS"])
POSTGRES = DATABASE.startswith("postgresql://")
TOLERANCE_SECONDS = 300


def is_signed(header, body):
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    at = parts.get("t", "")
    if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE_SECONDS:
        return False
    tag = base64.b64encode(hmac.new(SECRET, at.encode() + b"." + body, hashlib.sha256).digest())
    return hmac.compare_digest(tag, parts.get("v1", "").encode())


@contextlib.asynccontextmanager
async def lifespan(app):
    if POSTGRES:
        async with asyncpg.create_pool(DATABASE, min_size=32 // WORKERS, max_size=32 // WORKERS) as pool:
            # Two processes that make one table at once may both find that it is missing.
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await pool.execute("CREATE TABLE IF NOT EXISTS delivery (id bigserial PRIMARY KEY, event_id text, body jsonb)")
            app.state.pool = pool
            yield
    else:
        database = sqlite3.connect(DATABASE, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY, event_id TEXT, body TEXT)")
        app.state.database = database
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/fastio")
async def take(request: Request):
    body = await request.body()
    if not is_signed(request.headers.get("fastio-signature", ""), body):
        return Response(status_code=401)
    row = (json.loads(body)["event_id"], body.decode())
    if POSTGRES:
        await app.state.pool.execute("INSERT INTO delivery (event_id, body) VALUES ($1, $2)", *row)
    else:
        app.state.database.execute("INSERT INTO delivery (event_id, body) VALUES (?, ?)", row)
    return Response(status_code=202)


if __name__ == "__main__":
    uvicorn.run("app:app", host="127.0.0.1", port=int(os.environ["PEER_PORT"]), workers=WORKERS, loop="uvloop",
                http="httptools", log_level="warning", access_log=False)
