//! What Docket takes for true of the services without having read it in a document that can be relied on: each with where it
//! comes from, the code that rests on it, and what follows when a service does otherwise. It is one list, so that what is
//! only believed can be counted, and a test plays each both ways.

/// One of them.
#[derive(Debug)]
pub struct Assumption {
    pub id: &'static str,
    pub says: &'static str,
    pub source: &'static str,
    /// The files that rely on it.
    pub code: &'static [&'static str],
    /// What follows for the settings when it holds; empty for nothing.
    pub holds: &'static str,
    /// What follows when it does not.
    pub otherwise: &'static str,
}

macro_rules! assumptions {
    ($($name:ident: $says:literal, from $source:literal, for [$($code:literal),+],
        holds $holds:literal, otherwise $otherwise:literal;)+) => {
        $(pub static $name: Assumption = Assumption {
            id: stringify!($name), says: $says, source: $source, code: &[$($code),+],
            holds: $holds, otherwise: $otherwise,
        };)+

        /// All of them, in the order in which a rehearsal comes to them.
        pub static ALL: &[&Assumption] = &[$(&$name),+];
    };
}

assumptions! {
    KEY_SAYS_ITS_SCOPES: "A key's scopes are listed as entity:id:mode",
        from "Fastio's API reference has the path and the form, not the place in the answer",
        for ["src/fastio/scope.rs"],
        holds "docket check can tell a key that only reads",
        otherwise "docket check cannot tell whether the key may write; try a result in a folder of yours";
    LIMITS_ARE_IN_HEADERS: "Answers of Fastio say in x-ve-limit-expires when there is room again",
        from "Fastio's API reference; older copies name other headers",
        for ["src/fastio/error/mod.rs"],
        holds "",
        otherwise "after a 429 Docket waits a minute each time; ask for fewer sweeps if that is often";
    ROUTE_ABSENT_IS_9992: "A path that Fastio does not have is a 404 with code 9992",
        from "the error table of Fastio's official client",
        for ["src/fastio/error/mod.rs"],
        holds "",
        otherwise "a path that Fastio took away may look as if it were down; watch the log after its updates";
    NODE_ABSENT_IS_404: "A node that is not there is a 404 with a number and a text",
        from "Fastio's documents have the class, not this call",
        for ["src/fastio/error/mod.rs", "src/sync/absence.rs"],
        holds "",
        otherwise "copies of files that are purged stay: report it before you rely on deletions";
    SOURCES_ARE_LISTED: "Cloud accounts and sources are listed under one of two families of paths",
        from "two versions of Fastio's official client; the names of some fields are inferred",
        for ["src/fastio/cloud.rs", "src/cli/sources/mod.rs"],
        holds "",
        otherwise "leave docket sources alone, and connect accounts in Fastio";
    IMPORTS_ARE_LISTED: "An import that was asked for is listed at once, with its address or its file's name",
        from "inferred: the path is in Fastio's official client, the form of the answer is not",
        for ["src/fastio/web_upload.rs", "src/import/mod.rs"],
        holds "",
        otherwise "an import whose reply was lost is not found, and may be asked for twice: look at Fastio before you import again";
    UPLOAD_ENDS_STORED: "An upload that got its bytes in a second call ends as complete or stored",
        from "two of Fastio's documents, which disagree",
        for ["src/fastio/write.rs"],
        holds "",
        otherwise "results cannot be written beside files: leave write_back out of [rule.run]";
    UPLOADS_ARE_LISTED: "Upload sessions that are open are listed with id and name",
        from "inferred: the path is in Fastio's official client, the form of the answer is not",
        for ["src/fastio/write.rs", "src/outside/remove.rs"],
        holds "",
        otherwise "a session whose reply was lost stays open until Fastio ends it";
    UPLOAD_IS_PLACED_ONCE: "An upload that became a file cannot become another",
        from "inferred",
        for ["src/fastio/write.rs", "src/run/publish/write.rs"],
        holds "",
        otherwise "a result whose reply was lost may be written twice; its name is looked up first, so it is overwritten and not doubled";
    FILE_SHOWS_AT_ONCE: "A new file is in its folder's list at once",
        from "inferred: no document says how soon",
        for ["src/sync/absence.rs", "src/run/publish/place.rs"],
        holds "",
        otherwise "fresh files may be looked for twice; nothing is lost";
    HASH_IS_SAID: "A file's details carry its content's hash and name the algorithm",
        from "docs.fast.io on storage names the fields, and md5 as an example",
        for ["src/fastio/node/mod.rs", "src/sync/relay/mod.rs"],
        holds "what is unchanged is told without reading it",
        otherwise "each change of a file costs a download to tell whether its content changed; watch the traffic";
    HASH_IS_OF_THE_CONTENT: "The hash is that of the bytes, in hexadecimal",
        from "inferred from the documented form of another hash",
        for ["src/fastio/node/mod.rs", "src/sync/relay/mod.rs"],
        holds "a file that is cut short on its way is noticed",
        otherwise "Docket then trusts its own hash of what it read, and reads each change once more";
    TIMES_ARE_READ: "The times of a node can be read",
        from "Fastio's documents show the form in events, not in nodes",
        for ["src/fastio/envelope/mod.rs"],
        holds "",
        otherwise "copies carry no time of change; filters on modified_at find nothing";
    CONTENT_COMES_WHOLE: "A download announces its length and gives the content",
        from "Fastio's documents: Content-Length \"may be used\"",
        for ["src/fastio/download.rs", "src/sync/relay/mod.rs"],
        holds "",
        otherwise "a file that is cut short on its way may be noticed by its hash only";
    INVENTORY_TELLS_PATHS: "inventory/ takes 500 rows a page, and each says id, type, size and path",
        from "inferred: the names of its fields are in no document",
        for ["src/fastio/feed.rs", "src/feed/walk.rs"],
        holds "a sweep costs one call for 500 files",
        otherwise "sweeps and backfills list folder by folder: set sweep.every_minutes higher for large workspaces";
    VERSION_FOLLOWS_CONTENT: "New content makes a new version of the same node, under the same name",
        from "Fastio's reference; that the upload's own name is not taken is inferred",
        for ["src/fastio/write.rs", "src/sync/plan/mod.rs"],
        holds "",
        otherwise "results may change their names when they are written again: report it";
    STALE_WRITE_IS_REFUSED: "A write that names an old version is refused with 409 conflict_version_mismatch",
        from "Fastio's reference of October 2026",
        for ["src/fastio/error/mod.rs", "src/run/publish/write.rs"],
        holds "a person's edit of a result is never written over",
        otherwise "leave write_back out of [rule.run] until this is mended: an edit of a person could be written over";
    OLD_VERSION_IS_READ: "A version is read with a token that is asked for just before",
        from "Fastio's documents; how long a token lasts is not in them",
        for ["src/fastio/download.rs"],
        holds "",
        otherwise "a file that is edited while it is read is read again from the start";
    RENAME_KEEPS_VERSION: "A renamed file has the same id, version and hash",
        from "inferred: the event is called updated, as for new content",
        for ["src/sync/plan/mod.rs"],
        holds "a rename costs no upload",
        otherwise "a rename costs a download, and an upload where the version alone tells contents apart";
    MOVE_KEEPS_ID: "A moved file has the same id and version",
        from "inferred",
        for ["src/sync/plan/mod.rs", "src/sync/folder.rs"],
        holds "a move costs no upload",
        otherwise "a move is a deletion and a new file, and costs an upload and a run";
    LOCK_GIVES_A_TOKEN: "Taking a lock answers with its token",
        from "inferred: the place of the token is in no document",
        for ["src/fastio/lock.rs"],
        holds "",
        otherwise "set lock = false in [rule.run]";
    LOCK_IS_RENEWED_AND_TOLD: "A lock can be renewed, and everybody can see that there is one",
        from "Fastio's official client; the form of the answer is inferred",
        for ["src/fastio/lock.rs", "src/run/publish/write.rs"],
        holds "",
        otherwise "set lock = false in [rule.run]";
    LOCK_LETS_ITS_USER_WRITE: "The user of a lock can write the locked file",
        from "Fastio's guides call locks advisory",
        for ["src/run/publish/write.rs"],
        holds "",
        otherwise "set lock = false in [rule.run], or no result is written";
    LOCK_CAN_BE_TAKEN_AGAIN: "The same user can take its lock anew, as after a lost reply",
        from "inferred from guides that say a lock is held by a user's id",
        for ["src/fastio/lock.rs", "src/outside/remove.rs"],
        holds "",
        otherwise "a lock whose reply was lost stays until it runs out";
    LOCK_GONE_IS_404: "Releasing a lock that is gone is a 404",
        from "inferred",
        for ["src/fastio/lock.rs", "src/outside/remove.rs"],
        holds "",
        otherwise "a job that releases a lock may end dead though there is none; discard it";
    FILE_SHARE_IS_LISTED: "A link to a file for people who are named can be made, and is listed at once by its title",
        from "Fastio's guide for agents and its official client; the names of a list's fields are inferred",
        for ["src/fastio/file_share.rs", "src/run/action/mod.rs"],
        holds "",
        otherwise "leave share out of actions in [rule.run]: a link whose making was not answered may be made twice";
    TEXT_IS_EXTRACTED: "The text that Fastio read out of a file comes in pieces, and says of which version it is",
        from "Fastio's API reference; how soon, and for which workspaces, is in no document",
        for ["src/fastio/text.rs", "src/sync/upload/instead.rs"],
        holds "what OpenAI does not read is searchable as the text that Fastio read out of it",
        otherwise "what OpenAI does not read stays unsearchable, and docket files says so";
    NOTE_IS_READ: "A note is shown as one, and its text comes with its version",
        from "Fastio's reference and its official client, which differ in the answer's form",
        for ["src/fastio/text.rs", "src/sync/upload/instead.rs"],
        holds "",
        otherwise "notes are not searchable: keep what matters in files";
    LINK_SAYS_ITS_SHARE: "A link names the share that it leads to",
        from "inferred: the field's name is in no document",
        for ["src/fastio/node/mod.rs", "src/sync/upload/instead.rs"],
        holds "",
        otherwise "a link is searchable by its name only";
    AI_ASKS_ONCE: "A question that Fastio's AI is told twice under one key is one turn",
        from "Fastio's official client has the key; that the answer repeats the first ids is inferred",
        for ["src/fastio/talk.rs", "src/run/ask/mod.rs"],
        holds "",
        otherwise "a question whose reply was lost is asked, and paid for, twice: leave engine = \"fastio\" out where that matters";
    AI_THREADS_ARE_LISTED: "A thread of Fastio's AI is listed by its name at once",
        from "inferred: the path is in Fastio's official client, the form of the answer is not",
        for ["src/fastio/talk.rs", "src/outside/remove.rs"],
        holds "",
        otherwise "a thread whose reply was lost stays at Fastio with the question in it: leave engine = \"fastio\" out where that matters";
    AI_ANSWERS: "A question about one file ends in a text, in known words",
        from "Fastio's official client has the words; where an answer stands is not documented",
        for ["src/fastio/talk.rs", "src/run/ask/mod.rs"],
        holds "engine = \"fastio\" can be used for this workspace",
        otherwise "leave engine = \"fastio\" out of [rule.run]";
    AI_CITES_ITS_FILE: "An answer of Fastio's AI names the file that it rests on",
        from "not found: no document has the form of citations",
        for ["src/fastio/talk.rs", "src/run/ask/mod.rs"],
        holds "",
        otherwise "results that Fastio's AI answered name no files beside their own; quotes are looked up all the same";
    AI_THREAD_GOES: "A thread of Fastio's AI that was removed is a 404",
        from "inferred",
        for ["src/fastio/talk.rs", "src/outside/remove.rs", "src/erase/mod.rs"],
        holds "",
        otherwise "questions and answers stay at Fastio: leave engine = \"fastio\" out where documents have to be erased";
    TRASH_IS_SHOWN: "A file in the trash is shown as deleted, and is in its folder's list no more",
        from "docs.fast.io on storage; where deleted stands is inferred",
        for ["src/fastio/node/mod.rs", "src/sync/look.rs"],
        holds "",
        otherwise "deleted files may stay searchable: report it before you rely on deletions";
    RESTORE_KEEPS_ID: "A restored file has the same id and version",
        from "inferred",
        for ["src/sync/again/mod.rs", "src/sync/plan/mod.rs"],
        holds "a file that comes back costs no run",
        otherwise "a file that comes back is a new one, and is run over again";
    PURGE_IS_NAMED: "A purged node is named as missing in an answer about several",
        from "Fastio's table of codes (133123)",
        for ["src/fastio/client.rs", "src/sync/absence.rs"],
        holds "",
        otherwise "the proof that a file is purged is its folder's list: a call more for each purge";
    IMPORT_IS_FOLLOWED: "An import has an id, and says in known words how far it is",
        from "Fastio's official client has the words; where they stand in the answer is inferred",
        for ["src/fastio/web_upload.rs", "src/import/mod.rs"],
        holds "",
        otherwise "leave docket import alone, and upload such files in Fastio";
    IMPORT_ENDS_AS_A_FILE: "An import that says it is complete is a file in its folder, with a hash",
        from "inferred; Fastio's reference says that an import may fail in silence",
        for ["src/import/mod.rs"],
        holds "",
        otherwise "an import that Fastio made may be told as failed: look into its folder";
    FEED_IS_PERMITTED: "The key may read the organisation's change feed",
        from "Fastio's reference: permitted to every kind of key",
        for ["src/feed/follow.rs"],
        holds "set feed.org_id: changes come within a minute even without webhooks",
        otherwise "leave feed.org_id out; give the key's owner access, or rely on webhooks and sweeps";
    FEED_TELLS_EVERY_CHANGE: "The feed tells of new, changed, moved, deleted and restored files by the documented names",
        from "Fastio's reference names the events",
        for ["src/event/payload/names.rs", "src/feed/follow.rs"],
        holds "",
        otherwise "set sweep.every_minutes = 60: what the feed does not tell, a sweep finds";
    FEED_TELLS_NO_PURGE: "The feed does not tell of a purge",
        from "Fastio's reference: the feed \"does not cover purges\"",
        for ["src/feed/sweep/purged.rs"],
        holds "a purge is found by the next sweep: choose sweep.every_minutes by how soon it has to be",
        otherwise "purges are found sooner than a sweep";
    FOLDER_MOVE_IS_ONE_EVENT: "A folder that is moved is one event, and its files have none",
        from "inferred",
        for ["src/sync/folder.rs"],
        holds "",
        otherwise "each file of a moved folder is looked at twice; that costs calls and nothing else";
    EVENTS_CAN_BE_SEARCHED: "The key may search events",
        from "inferred: parts of the audit log need an administrator's key",
        for ["src/feed/search.rs"],
        holds "",
        otherwise "where the feed is refused too, changes without a webhook are found by sweeps alone";
    WEBHOOK_IS_SIGNED_AS_A_GUIDE_SAYS: "A webhook is signed in one of the ways that Fastio's guides show",
        from "guides on fast.io, which differ; no reference describes webhooks",
        for ["src/receive/signature/mod.rs"],
        holds "",
        otherwise "Docket refuses such webhooks: set feed.org_id and send this report to the maintainers";
    WEBHOOK_NAMES_ITS_PLACE: "A webhook names its event, an id and the workspace or share",
        from "guides on fast.io and fragments of payloads",
        for ["src/event/payload/mod.rs", "src/feed/relist.rs"],
        holds "a webhook costs one look at one file",
        otherwise "each webhook costs a listing, now and then: set feed.org_id, and send this report to the maintainers";
    MODEL_ANSWERS: "The model of the rules is there for this key",
        from "depends on the project",
        for ["src/run/engine.rs", "src/cli/check/runs.rs"],
        holds "",
        otherwise "choose another model in [rule.run], or allow this one in the project's limits";
    REQUESTS_ARE_LISTED: "A file of requests is listed under its purpose at once, with its name",
        from "inferred: OpenAI's OpenAPI document does not say how soon",
        for ["src/openai/request_batch.rs", "src/run/batch/mod.rs"],
        holds "",
        otherwise "a file of requests whose reply was lost stays in the project: delete it by hand";
    BATCH_IS_FOUND: "A batch is listed at once, with its metadata",
        from "inferred: OpenAI's OpenAPI document does not say how soon",
        for ["src/openai/request_batch.rs", "src/run/batch/mod.rs"],
        holds "runs over what was there before a rule can be asked at half the price: backfill = \"batch\"",
        otherwise "a batch whose reply was lost may be made, and paid for, twice: leave backfill = \"batch\" out";
    BATCH_IS_CANCELLED: "A batch that goes on can be cancelled, and says so",
        from "OpenAI's OpenAPI document; a compatible server may have no such call",
        for ["src/openai/request_batch.rs", "src/run/batch/mod.rs"],
        holds "",
        otherwise "a batch that nobody needs any more is worked through, and paid for";
    STORE_DOES_NOT_EXPIRE: "A vector store that is made without saying so does not expire",
        from "OpenAI's OpenAPI document; a compatible server differs",
        for ["src/openai/stores.rs", "src/sync/stores.rs"],
        holds "",
        otherwise "this server ends vector stores by itself: name stores that were made not to expire";
    FILE_SAYS_NAME_AND_SIZE: "An uploaded file keeps its name and says its size, and is first in the list",
        from "OpenAI's OpenAPI document; a dated translation says the size may be null",
        for ["src/sync/upload/mod.rs"],
        holds "an upload whose reply was lost is found again",
        otherwise "an upload whose reply was lost is not found again and made twice; the sweep reports the first as a stray";
    FILE_ATTACHES_AT_ONCE: "A file can be attached as soon as it is uploaded",
        from "issue threads, which saw 404s",
        for ["src/sync/index.rs"],
        holds "",
        otherwise "attachments are tried again for a minute; freshness suffers by that";
    ATTRIBUTES_ARE_KEPT: "A file's attributes come back as they were given: texts of 256 characters, numbers, flags",
        from "OpenAI's OpenAPI document and its guide, which differ in the length",
        for ["src/openai/attributes.rs", "src/sync/apply.rs"],
        holds "a lost database can be rebuilt from the store",
        otherwise "docket rebuild may restore less; keep backups of the database";
    FILE_IS_INDEXED: "A small text is indexed within two minutes, and the answer says when to look again",
        from "issue threads, in which some never were",
        for ["src/sync/index.rs", "src/sync/apply.rs"],
        holds "",
        otherwise "see the age of the oldest change in docket status; stuck files are attached anew after a while";
    SEARCH_CAN_BE_NARROWED: "A search can be narrowed to one file by an attribute",
        from "OpenAI's guide on retrieval",
        for ["src/run/frame.rs"],
        holds "",
        otherwise "runs that search see other files too: attach the document itself (attach = [\"input_file\"])";
    HIT_SAYS_WHAT_IT_IS: "A search for 50 pieces is taken, and each says its file, name, score and text",
        from "OpenAI's OpenAPI document; compatible servers leave some out",
        for ["src/openai/store.rs", "src/operate/query/search.rs"],
        holds "",
        otherwise "docket search shows results without what is missing, or in another order";
    STORE_COUNTS_ITS_FILES: "A vector store counts its files at once, and a file says how many bytes it takes there",
        from "inferred: no document says how soon the counts follow",
        for ["src/sync/stores.rs", "src/sync/index.rs"],
        holds "",
        otherwise "a full store is noticed when it refuses a file, and budgets count what was uploaded: leave some margin";
    RELABEL_REPLACES: "New attributes replace all old ones",
        from "inferred from OpenAI's OpenAPI document",
        for ["src/openai/stores.rs", "src/sync/apply.rs"],
        holds "",
        otherwise "old attributes stay on renamed files; filters may find them under their old paths";
    ATTACHING_TWICE_IS_ONE: "A file that is attached twice is in the store once",
        from "not found in any document",
        for ["src/sync/index.rs"],
        holds "",
        otherwise "a lost reply may double hits until the next edit of that file";
    FILES_ATTACH_TOGETHER: "Several files are attached with one request, each with attributes of its own",
        from "OpenAI's OpenAPI document",
        for ["src/openai/batches.rs", "src/sync/together/mod.rs"],
        holds "",
        otherwise "files are attached one by one: a large backfill is slower";
    ABSENT_FILE_IS_404: "A file that is not in a store is a 404 in OpenAI's words",
        from "issue threads; a compatible server answers 400",
        for ["src/openai/error/mod.rs", "src/sync/retire.rs"],
        holds "",
        otherwise "removals are proven by listing the whole store, which costs calls";
    TWO_STORES_ARE_SEARCHED: "A run may search in two vector stores",
        from "an issue thread; OpenAI's documents give no number",
        for ["src/openai/request.rs", "src/run/frame.rs"],
        holds "",
        otherwise "leave scope = \"store\" out of [rule.run] once a rule has a second store";
    MODEL_SAYS_ITS_LIMITS: "Answers say the model's requests and tokens for a minute",
        from "OpenAI's guide on rate limits",
        for ["src/openai/heard.rs", "src/govern/mod.rs"],
        holds "",
        otherwise "set limits.* by what the project's page says, or 429s are met";
    CONVERSATION_HOLDS_THE_RUN: "A response in the background completes, and its answer then stands in its conversation",
        from "OpenAI's OpenAPI document",
        for ["src/run/engine.rs"],
        holds "a run whose reply was lost is found again",
        otherwise "a run whose reply was lost is made, and paid for, twice";
    RUN_SAYS_ITS_TOKENS: "A response says how many tokens it took",
        from "OpenAI's OpenAPI document; all of it optional for compatible servers",
        for ["src/run/pace/mod.rs", "src/run/limit.rs"],
        holds "",
        otherwise "max_tokens_per_day does not work: limit runs with max_runs_per_day";
    CANCELLING_TWICE_IS_FINE: "Cancelling a response that has ended is no error",
        from "OpenAI's OpenAPI document; a compatible server answers 409",
        for ["src/run/engine.rs"],
        holds "",
        otherwise "a run that ends while it is cancelled may need one more attempt";
    CONTAINER_HOLDS_A_FILE: "A container without a network takes a file, and lists it by its name as the user's",
        from "OpenAI's API reference; the words for whose a file is are in its official libraries only",
        for ["src/openai/container.rs", "src/run/original.rs"],
        holds "",
        otherwise "leave code_interpreter out of attach in [rule.run]";
    FLEX_IS_SAID: "A run in the background may be asked for in flex, and says that it was processed so",
        from "OpenAI's OpenAPI document; that it goes together with background, and with which models, is inferred",
        for ["src/run/engine.rs", "src/run/ended.rs"],
        holds "runs that may wait cost half: service_tier or backfill_service_tier = \"flex\"",
        otherwise "leave service_tier = \"flex\" out for this model, or runs are refused or counted at a wrong price";
    CODE_LEAVES_ITS_FILES: "Code of a run works in the container that it was given, and what it made is listed as the assistant's",
        from "OpenAI's API reference; the words for whose a file is are in its official libraries only",
        for ["src/openai/output.rs", "src/run/produced.rs"],
        holds "",
        otherwise "files that code made are not written beside results unless the answer names them";
    CONTAINER_GONE_IS_404: "A container that was deleted is a 404",
        from "inferred: no document words it",
        for ["src/openai/container.rs", "src/run/produced.rs"],
        holds "",
        otherwise "a run whose container died may be tried more often than it need be";
    DETACHED_IS_NOT_FOUND: "What was detached is not found by a search soon after",
        from "OpenAI's guide: \"for a short period\" it may be",
        for ["src/sync/retire.rs"],
        holds "",
        otherwise "deleted documents can be found for a while; do not promise that they cannot";
    REMOVAL_IS_SAID: "Deleting answers that it was deleted",
        from "OpenAI's OpenAPI document",
        for ["src/openai/client.rs", "src/sync/retire.rs"],
        holds "",
        otherwise "each removal costs a listing";
    DELETED_FILE_LEAVES_ITS_STORE: "A file that is deleted without being detached is out of its store",
        from "OpenAI's OpenAPI document, against an issue thread of September 2026",
        for ["src/sync/retire.rs"],
        holds "",
        otherwise "Docket detaches first, so nothing follows for it; delete by hand in the same order";
}
