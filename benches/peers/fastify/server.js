// A webhook receiver as one writes it with Fastify and graphile-worker: checks the signature, adds a job, answers 202. The job is
// committed before that, with PostgreSQL's default of synchronous commits.
// PEER_DATABASE is postgresql://…; PEER_PORT where it listens; PEER_WORKERS how many processes.
import cluster from "node:cluster";
import { createHmac, timingSafeEqual } from "node:crypto";
import Fastify from "fastify";
import { makeWorkerUtils } from "graphile-worker";

const { PEER_SECRET, PEER_DATABASE, PEER_PORT, PEER_WORKERS } = process.env;
const TOLERANCE_SECONDS = 300;
const CONNECTIONS = 32 / Number(PEER_WORKERS);

function isSigned(header, body) {
  const parts = Object.fromEntries(header.split(",").map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
  if (!(Math.abs(Date.now() / 1000 - Number(parts.t)) <= TOLERANCE_SECONDS)) return false;
  const tag = createHmac("sha256", PEER_SECRET).update(`${parts.t}.`).update(body).digest();
  const claimed = Buffer.from(parts.v1 ?? "", "base64");
  return claimed.length === tag.length && timingSafeEqual(claimed, tag);
}

async function adder(migrate) {
  const utils = await makeWorkerUtils({ connectionString: PEER_DATABASE, maxPoolSize: CONNECTIONS });
  if (migrate) await utils.migrate();
  return (event) => utils.addJob("sync", event);
}

if (cluster.isPrimary) {
  await adder(true);
  for (let worker = 0; worker < Number(PEER_WORKERS); worker += 1) cluster.fork();
} else {
  const add = await adder(false);
  const server = Fastify();
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  server.post("/webhooks/fastio", async (request, reply) => {
    if (!isSigned(request.headers["fastio-signature"] ?? "", request.body)) return reply.code(401).send();
    await add(JSON.parse(request.body));
    return reply.code(202).send();
  });
  await server.listen({ host: "127.0.0.1", port: Number(PEER_PORT) });
}
