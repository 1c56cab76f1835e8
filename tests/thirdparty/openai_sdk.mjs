// Drives OpenAI's official library for Node, unchanged, against a server that claims to speak OpenAI's API.
//
// Usage: OPENAI_BASE_URL=http://127.0.0.1:9102/v1 node openai_sdk.mjs
//
// Prints one line for each step and exits with 1 at the first thing that is not as OpenAI documents it. It makes and deletes
// what it needs and nothing else. Where the library is: NODE_MODULES, or beside this file.

import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = process.env.NODE_MODULES ?? path.join(import.meta.dirname, 'node_modules');
const library = await import(pathToFileURL(path.join(modules, 'openai', 'index.mjs')));
const { default: OpenAI, toFile } = library;

const LIABILITY = 'The term is two years. The Supplier shall pay. Its aggregate liability is capped at EUR 50,000.\n';
const PAYMENT = 'Payment is due within thirty days of the invoice.\n';
const PATIENCE_MS = 20_000;
const PARALLEL = 20;

const client = new OpenAI({ apiKey: process.env.OPENAI_API_KEY ?? 'sk-test', maxRetries: 0, timeout: 60_000 });

function step(text) {
    console.log(`ok  ${text}`);
}

function check(condition, text) {
    if (!condition) {
        console.log(`BAD ${text}`);
        process.exit(1);
    }
}

async function refused(kind, text, call) {
    try {
        await call();
    } catch (error) {
        check(error instanceof kind, `${text}: ${error}`);
        check(error.requestID, `${text}: the error has no request id`);
        return step(`refused: ${text} (${error.status} ${error.code})`);
    }
    check(false, `${text}: was not refused`);
}

async function all(page) {
    const found = [];
    for await (const one of page) found.push(one);
    return found;
}

async function files() {
    const file = await client.files.create({ file: await toFile(Buffer.from(LIABILITY), 'msa.md'), purpose: 'assistants' });
    check((await client.files.retrieve(file.id)).bytes === LIABILITY.length, 'files.create, retrieve');
    const more = [];
    for (let n = 0; n < 3; n++) {
        more.push(await client.files.create({ file: await toFile(Buffer.from(PAYMENT), `n${n}.txt`), purpose: 'user_data' }));
    }
    const listed = await all(client.files.list({ limit: 2, order: 'asc', purpose: 'user_data' }));
    const expected = more.map((one) => one.id);
    check(listed.map((one) => one.id).slice(-3).join() === expected.join(), 'files.list, several pages');
    check((await (await client.files.content(more[0].id)).text()) === PAYMENT, 'files.content');
    for (const one of more) check((await client.files.delete(one.id)).deleted, 'files.delete');
    step('files.create, retrieve, list, content, delete');
    await refused(OpenAI.NotFoundError, 'a deleted file', () => client.files.retrieve(more[0].id));
    const begun = await client.uploads.create({ filename: 'x.txt', purpose: 'assistants', bytes: 6, mime_type: 'text/plain' });
    const part = async (text) => client.uploads.parts.create(begun.id, { data: await toFile(Buffer.from(text), 'part') });
    const parts = [await part('abc'), await part('def')];
    const done = await client.uploads.complete(begun.id, { part_ids: parts.map((one) => one.id) });
    check(done.file.bytes === 6, 'uploads.complete');
    await client.files.delete(done.file.id);
    step('uploads.create, parts, complete');
    return file;
}

async function store(file) {
    const made = await client.vectorStores.create({ name: 'contracts' });
    const attributes = { rule: 'contracts', pages: 3, signed: true };
    const entry = await client.vectorStores.files.createAndPoll(made.id, { file_id: file.id, attributes });
    check(entry.status === 'completed' && entry.attributes.pages === 3, 'vectorStores.files.createAndPoll');
    const second = await client.vectorStores.files.uploadAndPoll(made.id, await toFile(Buffer.from(PAYMENT), 'payment.txt'));
    check((await all(client.vectorStores.files.list(made.id, { limit: 1 }))).length === 2, 'files.list, several pages');
    step('vectorStores.files: createAndPoll, uploadAndPoll, list');
    const filters = [
        { type: 'eq', key: 'rule', value: 'contracts' },
        { type: 'ne', key: 'rule', value: 'invoices' },
        { type: 'gt', key: 'pages', value: 2 },
        { type: 'gte', key: 'pages', value: 3 },
        { type: 'lt', key: 'pages', value: 4 },
        { type: 'lte', key: 'pages', value: 3 },
        { type: 'in', key: 'rule', value: ['contracts'] },
        { type: 'nin', key: 'rule', value: ['invoices'] },
    ];
    filters.push({ type: 'and', filters: filters.slice(0, 2) }, { type: 'or', filters: filters.slice(0, 2) });
    for (const filter of filters) {
        const ranking_options = { ranker: 'auto', score_threshold: 0.01 };
        const hits = await client.vectorStores.search(made.id, { query: 'supplier liability', filters: filter, ranking_options });
        check(hits.data[0]?.file_id === file.id, `vectorStores.search with ${filter.type}`);
    }
    step('vectorStores.search with each kind of filter');
    const batch = await client.vectorStores.fileBatches.createAndPoll(made.id, { file_ids: [file.id, second.id] });
    check(batch.status === 'completed', 'vectorStores.fileBatches.createAndPoll');
    step('vectorStores.fileBatches.createAndPoll');
    await client.vectorStores.files.delete(second.id, { vector_store_id: made.id });
    await client.files.delete(second.id);
    return made;
}

async function responses(model, file, made) {
    const tools = [{ type: 'file_search', vector_store_ids: [made.id] }];
    const include = ['file_search_call.results'];
    const done = await client.responses.create({ model, input: 'Which liability?', tools, include });
    check(done.output_text.includes('EUR 50,000') && done.output[0].results.length > 0, 'responses.create');
    step('responses.create with a file search');
    let said = '';
    let last;
    for await (const event of await client.responses.create({ model, input: 'Hello', stream: true })) {
        if (event.type === 'response.output_text.delta') said += event.delta;
        last = event;
    }
    const answered = last.response.output.flatMap((item) => item.content ?? []).map((part) => part.text).join('');
    check(last.type === 'response.completed' && answered === said, 'a stream');
    const whole = await client.responses.stream({ model, input: 'Hello' }).finalResponse();
    check(whole.output_text === said, 'responses.stream');
    step('responses.create(stream), responses.stream');
    const next = await client.responses.create({ model, input: 'And now?', previous_response_id: done.id });
    const items = await all(client.responses.inputItems.list(next.id, { limit: 1, order: 'asc' }));
    check(items.length >= 3, 'what was said before is carried on');
    step('previous_response_id, inputItems.list');
    const begun = await client.responses.create({ model, input: 'Hello', background: true });
    // A cancel may come too late. Either way the response has ended, and stays as it ended.
    const ended = (await client.responses.cancel(begun.id)).status;
    check(['cancelled', 'completed'].includes(ended), `responses.cancel: ${ended}`);
    check((await client.responses.retrieve(begun.id)).status === ended, 'what was cancelled stays as it ended');
    step('responses.create(background), cancel');
    check((await client.responses.inputTokens.count({ model, input: 'x' })).input_tokens > 0, 'inputTokens.count');
    check((await client.responses.compact({ model, input: 'x' })).object === 'response.compaction', 'responses.compact');
    step('responses.inputTokens.count, compact');
    const runs = Array.from({ length: PARALLEL }, (_, n) => client.responses.create({ model, input: `Number ${n}` }));
    for (const one of [done, next, ...(await Promise.all(runs))]) await client.responses.delete(one.id);
    step(`${PARALLEL} responses at once, delete`);
    const ask = (more) => () => client.responses.create({ model, input: 'x', ...more });
    await refused(OpenAI.BadRequestError, 'an unknown previous response', ask({ previous_response_id: 'resp_none' }));
    await refused(OpenAI.BadRequestError, 'a temperature of 9', ask({ temperature: 9 }));
    await refused(OpenAI.BadRequestError, 'an unknown tool', ask({ tools: [{ type: 'magic' }] }));
}

async function conversations(model) {
    const talk = await client.conversations.create({ items: [{ role: 'user', content: 'Hello' }] });
    await client.responses.create({ model, input: 'Again', conversation: talk.id });
    const items = await all(client.conversations.items.list(talk.id, { order: 'asc', limit: 1 }));
    check(items.map((item) => item.role).join() === 'user,user,assistant', 'conversations.items.list');
    check((await client.conversations.delete(talk.id)).deleted, 'conversations.delete');
    step('conversations.create, items.list, delete');
}

async function containers(model, file) {
    const tools = [{ type: 'code_interpreter', container: { type: 'auto', file_ids: [file.id] } }];
    const done = await client.responses.create({ model, input: 'Count', tools });
    const id = done.output.find((item) => item.type === 'code_interpreter_call').container_id;
    const held = await all(client.containers.files.list(id, { limit: 1, order: 'asc' }));
    check(held.map((one) => one.source).join() === 'user,assistant', 'containers.files.list, several pages');
    const content = await client.containers.files.content.retrieve(held[1].id, { container_id: id });
    check((await content.text()).startsWith('file,words'), 'containers.files.content');
    check((await client.containers.retrieve(id)).status === 'running', 'containers.retrieve');
    await client.containers.delete(id);
    step('containers.files.list, content, containers.retrieve, delete');
}

async function webhooks(model) {
    const taken = Promise.withResolvers();
    const server = http.createServer((request, reply) => {
        let body = '';
        request.on('data', (piece) => (body += piece));
        request.on('end', () => {
            reply.end();
            taken.resolve({ body, headers: request.headers });
        });
    });
    await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
    const url = `http://127.0.0.1:${server.address().port}/hooks`;
    const made = await client.webhooks.create({ name: 'mine', url, event_types: ['response.completed'] });
    const begun = await client.responses.create({ model, input: 'Hello', background: true });
    const late = setTimeout(() => taken.reject(new Error('no webhook came')), PATIENCE_MS);
    const { body, headers } = await taken.promise;
    clearTimeout(late);
    const event = await client.webhooks.unwrap(body, headers, made.signing_secret);
    check(event.type === 'response.completed' && event.data.id === begun.id, 'a webhook is sent and its signature right');
    await client.webhooks.delete(made.id);
    server.close();
    step('webhooks.create, unwrap, delete');
}

const model = (await all(client.models.list()))[0].id;
const file = await files();
const made = await store(file);
await responses(model, file, made);
await conversations(model);
await containers(model, file);
await webhooks(model);
await client.vectorStores.delete(made.id);
await client.files.delete(file.id);
step('vectorStores.delete');
