//! A small life at OpenAI: a vector store of its own with a few lines of text, a search, a `batch` that is cancelled, two runs, one of
//! them with `code`, and the way out again.

mod batch;
mod code;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep};

use super::Patience;
use super::assumption::{self as a, Assumption};
use super::finding::Book;
use super::made::{KEY, Made};
use crate::openai::{
    AttributeValue, Attributes, Client, Deletion, Error, ErrorKind, FileId, IndexStatus, Listed, NewFile,
    NewResponse, Order, Response, Status, StoreFile, Tool, VectorStoreId,
};

const TEXT: &str = "Liability of either party is capped at EUR 50,000 for each claim.\n";
const QUESTION: &str = "At how much is liability capped? Search, then answer in one short sentence.";

/// The longest text that is put into an attribute: what both of OpenAI's documents allow.
const LONGEST: usize = 256;

/// An id of a file that nobody has.
const NO_FILE: &str = "file-docketprobe0000000000";

/// Runs of the model: one that searches, one of code, and one in a batch, if it is not cancelled before.
pub const RUNS: u64 = 3;

/// What one run may write. A model that thinks first needs some of it for that.
pub const MAX_OUTPUT_TOKENS: u64 = 2_000;

/// What one run reads at most: the question, the pieces of three texts of a line, and what a model is told of its tool.
pub const MAX_INPUT_TOKENS: u64 = 8_000;

/// Pieces that `docket search` asks for.
const SEARCHED: u8 = 50;

/// What only a run can tell.
static OF_A_RUN: [&Assumption; 6] = [
    &a::MODEL_ANSWERS,
    &a::TWO_STORES_ARE_SEARCHED,
    &a::MODEL_SAYS_ITS_LIMITS,
    &a::CONVERSATION_HOLDS_THE_RUN,
    &a::RUN_SAYS_ITS_TOKENS,
    &a::CANCELLING_TWICE_IS_FINE,
];

/// Where it is played, and with what.
pub struct Stage<'a> {
    pub client: &'a Client,
    /// None: nothing is run.
    pub model: Option<&'a str>,
    pub mark: &'a str,
    pub patience: Patience,
}

/// What the runs took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    pub tokens: u64,
}

impl Stage<'_> {
    /// # Errors
    /// A call failed without which nothing more can be tried; what was found before stands in `book`.
    pub async fn play(&self, book: &mut Book<'_>, made: &mut Made, used: &mut Used) -> Result<(), Error> {
        // Whether the key is good.
        self.client.vector_stores(None).await?;
        let model = self.model(book).await;
        if let Some(model) = model {
            // It has the rest of the life to be cancelled in.
            self.batch(book, made, model).await;
        }
        let store = self.store(book, made).await?;
        let first = self.file(book, made).await?;
        self.attach(book, (&store, &first)).await?;
        self.search(book, (&store, &first)).await;
        self.relabel(book, (&store, &first)).await;
        self.attach_again(book, (&store, &first)).await;
        let second = self.together(book, made, &store).await?;
        match self.client.store_file(&store, &FileId(NO_FILE.to_owned())).await {
            Ok(_) => book.note(&a::ABSENT_FILE_IS_404, false, "a file that nobody has was shown"),
            Err(error) if error.is_not_found() => {
                book.note(&a::ABSENT_FILE_IS_404, true, "status 404 in OpenAI's words")
            }
            Err(error) => book.refused(&a::ABSENT_FILE_IS_404, &error),
        }
        if let Some(model) = model {
            self.run(book, made, (&store, model), used).await;
            self.code(book, made, model, used).await;
        }
        self.leave(book, &store, (&first, &second)).await;
        Ok(())
    }

    /// The model, if there is one to be run.
    async fn model(&self, book: &mut Book<'_>) -> Option<&str> {
        let Some(model) = self.model else {
            for these in [&OF_A_RUN[..], &batch::OF_A_BATCH, &code::OF_CODE] {
                book.none_of(these, "nothing was run");
            }
            return None;
        };
        let found = book.judge(&a::MODEL_ANSWERS, self.client.model(model).await, |found| {
            let end = found.shutdown_date.as_ref().map(|day| format!(", until {day}")).unwrap_or_default();
            (true, format!("{model} is there{end}"))
        });
        found.map(|_| model)
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(KEY.to_owned(), self.mark.to_owned())])
    }

    async fn make_store(&self, made: &mut Made) -> Result<VectorStoreId, Error> {
        let store = self.client.create_vector_store(self.mark, &self.metadata()).await?;
        made.stores.push(store.id.clone());
        Ok(store.id)
    }

    async fn store(&self, book: &mut Book<'_>, made: &mut Made) -> Result<VectorStoreId, Error> {
        let store = self.make_store(made).await?;
        let shown = self.client.vector_store(&store).await?;
        let expires =
            shown.expires_after.as_ref().is_some_and(|after| !after.is_null()) || shown.expires_at.is_some();
        let seen = if expires { "it says when it expires" } else { "it says nothing of an end" };
        book.note(&a::STORE_DOES_NOT_EXPIRE, !expires, seen);
        Ok(shown.id)
    }

    fn name(&self, number: u8) -> String {
        // As people name files; a name that comes back otherwise finds no lost upload.
        format!("{} Prüfung {number} (final).txt", self.mark)
    }

    async fn upload(&self, made: &mut Made, number: u8) -> Result<(FileId, bool), Error> {
        let name = self.name(number);
        let new = NewFile { filename: &name, mime_type: "text/plain", length: TEXT.len() as u64 };
        let content = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(TEXT.as_bytes()))]);
        let file = self.client.upload(new, content).await?;
        made.files.push(file.id.clone());
        Ok((file.id, file.filename == name && file.bytes == Some(TEXT.len() as u64)))
    }

    async fn file(&self, book: &mut Book<'_>, made: &mut Made) -> Result<FileId, Error> {
        let (id, is_said) = self.upload(made, 1).await?;
        let listed = self.client.files(None).await;
        book.judge(&a::FILE_SAYS_NAME_AND_SIZE, listed, |page| {
            let place = page.items.iter().position(|file| file.id == id);
            let listed = page.items.iter().find(|file| file.id == id);
            let same = listed
                .is_some_and(|file| file.filename == self.name(1) && file.bytes == Some(TEXT.len() as u64));
            let said =
                if is_said && same { "name and size are as given" } else { "name or size are not as given" };
            let place = place.map_or("not on its first page".to_owned(), |place| {
                format!("number {} in the list", place + 1)
            });
            (is_said && same, format!("{said}; {place}"))
        });
        Ok(id)
    }

    fn attributes(&self) -> Attributes {
        let text = |text: String| AttributeValue::Text(text);
        Attributes::from([
            (KEY.to_owned(), text(self.mark.to_owned())),
            ("longest".to_owned(), text("ä".repeat(LONGEST))),
            ("whole".to_owned(), AttributeValue::Number(1_790_372_411_000.0)),
            ("fraction".to_owned(), AttributeValue::Number(1.5)),
            ("flag".to_owned(), AttributeValue::Flag(true)),
        ])
    }

    async fn attach(
        &self,
        book: &mut Book<'_>,
        (store, file): (&VectorStoreId, &FileId),
    ) -> Result<(), Error> {
        let attributes = self.attributes();
        match self.client.attach(store, file, &attributes).await {
            Ok(_) => book.note(&a::FILE_ATTACHES_AT_ONCE, true, "the first attempt succeeded"),
            Err(error) if error.is_not_found() => {
                book.note(&a::FILE_ATTACHES_AT_ONCE, false, error.to_string());
                self.attach_late((store, file), &attributes).await?;
            }
            Err(error) => {
                book.refused(&a::FILE_ATTACHES_AT_ONCE, &error);
                return Err(error);
            }
        }
        let began = Instant::now();
        let mut says_when = false;
        let indexed = loop {
            match self.client.store_file(store, file).await {
                Ok(polled) => {
                    says_when |= polled.poll_after.is_some();
                    if polled.file.status != IndexStatus::InProgress {
                        break polled.file;
                    }
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
            if began.elapsed() >= self.patience.for_indexing {
                let seen = format!("it was not after {} seconds", began.elapsed().as_secs());
                book.note(&a::FILE_IS_INDEXED, false, seen);
                return Ok(());
            }
            sleep(self.patience.between_looks).await;
        };
        let when = if says_when { "says" } else { "does not say" };
        let seen = format!(
            "{} after {} ms; it {when} when to look again",
            word(&indexed),
            began.elapsed().as_millis()
        );
        book.note(&a::FILE_IS_INDEXED, indexed.status == IndexStatus::Completed && says_when, seen);
        let other: Vec<&str> = attributes
            .iter()
            .filter(|(key, value)| indexed.attributes.get(*key) != Some(*value))
            .map(|(key, _)| key.as_str())
            .collect();
        let seen = match other.is_empty() {
            true => "all five came back as they were".to_owned(),
            false => format!("otherwise or not at all: {}", other.join(", ")),
        };
        book.note(&a::ATTRIBUTES_ARE_KEPT, other.is_empty(), seen);
        self.count(book, store, &indexed).await;
        Ok(())
    }

    /// The only file of the store is in it.
    async fn count(&self, book: &mut Book<'_>, store: &VectorStoreId, file: &StoreFile) {
        book.judge(&a::STORE_COUNTS_ITS_FILES, self.client.vector_store(store).await, |store| {
            let total = store.file_counts.total;
            let bytes = file
                .usage_bytes
                .map_or("does not say its bytes".to_owned(), |bytes| format!("takes {bytes} bytes"));
            (
                total == 1 && file.usage_bytes.is_some(),
                format!("it counts {total} of one file, which {bytes}"),
            )
        });
    }

    /// A fresh file that is not there yet.
    async fn attach_late(
        &self,
        (store, file): (&VectorStoreId, &FileId),
        attributes: &Attributes,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience.for_indexing;
        loop {
            match self.client.attach(store, file, attributes).await {
                Err(error) if error.is_not_found() && Instant::now() < deadline => {
                    sleep(self.patience.between_looks).await;
                }
                attached => return attached.map(drop),
            }
        }
    }

    async fn search(&self, book: &mut Book<'_>, (store, file): (&VectorStoreId, &FileId)) {
        let ours = self.client.search_where(store, "liability cap", (KEY, self.mark)).await;
        let others = self.client.search_where(store, "liability cap", (KEY, "nobody's")).await;
        match (ours, others) {
            (Ok(ours), Ok(others)) => {
                let found = ours.iter().any(|hit| hit.file_id == *file);
                let seen = format!("{} with its value, {} with another", ours.len(), others.len());
                book.note(&a::SEARCH_CAN_BE_NARROWED, found && others.is_empty(), seen);
            }
            (Err(error), _) | (_, Err(error)) => book.refused(&a::SEARCH_CAN_BE_NARROWED, &error),
        }
        let hits = self.client.search(store, "liability cap", SEARCHED).await;
        book.judge(&a::HIT_SAYS_WHAT_IT_IS, hits, |hits| {
            let Some(hit) = hits.iter().find(|hit| hit.file_id == *file) else {
                return (false, format!("the file is not among {} pieces", hits.len()));
            };
            let said = [
                (hit.filename == self.name(1), "name"),
                (hit.score > 0.0, "score"),
                (hit.text.contains(TEXT.trim_end()), "text"),
            ];
            let lacks: Vec<&str> =
                said.iter().filter(|(is_said, _)| !is_said).map(|(_, what)| *what).collect();
            match lacks.is_empty() {
                true => (true, "name, score and text are as they should be".to_owned()),
                false => (false, format!("otherwise or not at all: {}", lacks.join(", "))),
            }
        });
    }

    async fn relabel(&self, book: &mut Book<'_>, (store, file): (&VectorStoreId, &FileId)) {
        let only = Attributes::from([(KEY.to_owned(), AttributeValue::Text(self.mark.to_owned()))]);
        if let Err(error) = self.client.relabel(store, file, &only).await {
            return book.refused(&a::RELABEL_REPLACES, &error);
        }
        let shown = self.client.store_file(store, file).await;
        book.judge(&a::RELABEL_REPLACES, shown, |polled| {
            let kept = polled.file.attributes.len();
            (polled.file.attributes == only, format!("{kept} of five are left where one was given"))
        });
    }

    async fn attach_again(&self, book: &mut Book<'_>, (store, file): (&VectorStoreId, &FileId)) {
        let again = self.client.attach(store, file, &self.attributes()).await;
        let said = again.map_or_else(|error| error.to_string(), |_| "the second is a success".to_owned());
        let listed = self.client.store_files(store, None).await;
        book.judge(&a::ATTACHING_TWICE_IS_ONE, listed, |page| {
            let times = page.items.iter().filter(|one| one.id == *file).count();
            (times == 1, format!("{said}; listed {times} times"))
        });
    }

    /// Two more, with one request. Answers the first of them.
    async fn together(
        &self,
        book: &mut Book<'_>,
        made: &mut Made,
        store: &VectorStoreId,
    ) -> Result<FileId, Error> {
        let mut files = Vec::new();
        for number in [2, 3] {
            let (id, _) = self.upload(made, number).await?;
            let number = AttributeValue::Number(number.into());
            files.push((id, Attributes::from([("number".to_owned(), number)])));
        }
        let deadline = Instant::now() + self.patience.for_indexing;
        match self.client.attach_together(store, &files).await {
            Ok(batch) => loop {
                let page = self.client.batch_files(store, &batch).await?;
                let is_busy = page.items.iter().any(|file| file.status == IndexStatus::InProgress);
                if (page.items.len() < files.len() || is_busy) && Instant::now() < deadline {
                    sleep(self.patience.between_looks).await;
                    continue;
                }
                let right = files.iter().all(|(id, attributes)| {
                    page.items.iter().any(|file| file.id == *id && file.attributes == *attributes)
                });
                let seen = format!("{} of {} in the batch", page.items.len(), files.len());
                book.note(&a::FILES_ATTACH_TOGETHER, right, seen);
                break;
            },
            Err(error) => book.refused(&a::FILES_ATTACH_TOGETHER, &error),
        }
        Ok(files.swap_remove(0).0)
    }

    async fn run(
        &self,
        book: &mut Book<'_>,
        made: &mut Made,
        (store, model): (&VectorStoreId, &str),
        used: &mut Used,
    ) {
        match self.respond(book, made, (store, model)).await {
            Ok(ended) => self.judge_run(book, (model, &ended), used).await,
            Err(error) => book.refused(&a::CONVERSATION_HOLDS_THE_RUN, &error),
        }
    }

    async fn respond(
        &self,
        book: &mut Book<'_>,
        made: &mut Made,
        (store, model): (&VectorStoreId, &str),
    ) -> Result<Response, Error> {
        made.unanswered.push("an empty conversation");
        let conversation = self.client.create_conversation(&self.metadata()).await;
        made.answered(&conversation);
        let conversation = conversation?;
        made.conversations.push(conversation.clone());
        let other = self.make_store(made).await?;
        let tools = [vec![store.clone(), other], vec![store.clone()]]
            .map(|stores| [Tool::FileSearch { stores, matching: Attributes::new(), max_results: 3 }]);
        let asked = |tools| NewResponse {
            model,
            conversation: Some(&conversation),
            text: QUESTION,
            tools,
            max_output_tokens: Some(MAX_OUTPUT_TOKENS),
            max_tool_calls: Some(1),
            metadata: self.metadata(),
            ..NewResponse::default()
        };
        let response = match self.start(made, &asked(&tools[0])).await {
            Err(error) if matches!(error.kind, ErrorKind::Rejected { .. }) => {
                book.note(&a::TWO_STORES_ARE_SEARCHED, false, error.to_string());
                self.start(made, &asked(&tools[1])).await?
            }
            response => {
                let response = response?;
                book.note(&a::TWO_STORES_ARE_SEARCHED, true, "a run with two was taken");
                response
            }
        };
        let mut response = self.follow(response).await?;
        response.conversation = Some(conversation);
        Ok(response)
    }

    async fn start(&self, made: &mut Made, asked: &NewResponse<'_>) -> Result<Response, Error> {
        made.unanswered.push("a response, kept for 30 days");
        let response = self.client.create_response(asked).await;
        made.answered(&response);
        let response = response?;
        made.responses.push(response.id.clone());
        Ok(response)
    }

    /// Looks at a response until it has ended, or for as long as there is patience.
    async fn follow(&self, mut response: Response) -> Result<Response, Error> {
        let began = Instant::now();
        while !response.status.is_terminal() && began.elapsed() < self.patience.for_a_run {
            sleep(self.patience.next_look(began)).await;
            response = self.client.response(&response.id).await?;
        }
        Ok(response)
    }

    async fn judge_run(&self, book: &mut Book<'_>, (model, ended): (&str, &Response), used: &mut Used) {
        match self.client.model_limits(model) {
            Some(limits) if limits.requests.is_some() || limits.tokens.is_some() => {
                let number =
                    |limit: Option<u64>| limit.map_or("no number".to_owned(), |limit| limit.to_string());
                let seen = format!(
                    "{} requests and {} tokens a minute",
                    number(limits.requests),
                    number(limits.tokens)
                );
                book.note(&a::MODEL_SAYS_ITS_LIMITS, true, seen);
            }
            _ => book.note(&a::MODEL_SAYS_ITS_LIMITS, false, "the headers are not there"),
        }
        let tokens = ended.usage.map_or(0, |usage| usage.total_tokens);
        used.tokens += tokens;
        if !ended.status.is_terminal() {
            let seen = format!(
                "it is {} after {} seconds",
                ended.status.as_str(),
                self.patience.for_a_run.as_secs()
            );
            return book.unknown(&a::CONVERSATION_HOLDS_THE_RUN, seen);
        }
        book.note(&a::RUN_SAYS_ITS_TOKENS, tokens > 0, format!("{tokens} tokens"));
        if ended.status != Status::Completed {
            let why =
                ended.incomplete.clone().or_else(|| ended.error.as_ref().map(|error| error.code.clone()));
            let seen = format!("it ended {}: {}", ended.status.as_str(), why.unwrap_or_default());
            book.unknown(&a::CONVERSATION_HOLDS_THE_RUN, seen);
        } else if let Some(conversation) = &ended.conversation {
            let items = self.client.conversation_items(conversation, Order::OldestFirst, None).await;
            book.judge(&a::CONVERSATION_HOLDS_THE_RUN, items, |page| {
                let answered = page.items.iter().any(|item| item.role.as_deref() == Some("assistant"));
                (answered, format!("{} items in its conversation", page.items.len()))
            });
        }
        let cancelled = self.client.cancel_response(&ended.id).await;
        book.judge(&a::CANCELLING_TWICE_IS_FINE, cancelled, |response| {
            (true, format!("a success; it stays {}", response.status.as_str()))
        });
    }

    async fn leave(&self, book: &mut Book<'_>, store: &VectorStoreId, (first, second): (&FileId, &FileId)) {
        let detached = self.client.detach(store, first).await;
        if detached.is_ok() {
            self.judge_detached(book, (store, first)).await;
        }
        let deleted = self.client.delete_file(first).await;
        match (detached, deleted) {
            (Ok(detached), Ok(deleted)) => {
                let said = (detached, deleted) == (Deletion::Said, Deletion::Said);
                let seen = if said { "deleted: true" } else { "a success without deleted: true" };
                book.note(&a::REMOVAL_IS_SAID, said, seen);
            }
            (Err(error), _) | (_, Err(error)) => book.refused(&a::REMOVAL_IS_SAID, &error),
        }
        match self.client.delete_file(second).await {
            Ok(_) => {
                let listed = self.client.lists_store_file(store, second).await;
                book.judge(&a::DELETED_FILE_LEAVES_ITS_STORE, listed, |listed| match listed {
                    Listed::NotThere => (true, "the store lists it no more".to_owned()),
                    Listed::There => (false, "the store still lists it".to_owned()),
                    Listed::Unreadable => (false, "the store's list cannot be read".to_owned()),
                });
            }
            Err(error) => book.refused(&a::DELETED_FILE_LEAVES_ITS_STORE, &error),
        }
    }

    async fn judge_detached(&self, book: &mut Book<'_>, (store, file): (&VectorStoreId, &FileId)) {
        let began = Instant::now();
        loop {
            match self.client.search(store, "liability cap", 10).await {
                Ok(hits) => {
                    let is_found = hits.iter().any(|hit| hit.file_id == *file);
                    let took = began.elapsed().as_millis();
                    if !is_found || began.elapsed() >= self.patience.for_news {
                        let seen = if is_found { "still found" } else { "found no more" };
                        return book.note(
                            &a::DETACHED_IS_NOT_FOUND,
                            !is_found,
                            format!("{seen} after {took} ms"),
                        );
                    }
                }
                Err(error) => return book.refused(&a::DETACHED_IS_NOT_FOUND, &error),
            }
            sleep(self.patience.between_looks).await;
        }
    }
}

fn word(file: &StoreFile) -> String {
    match (&file.status, &file.last_error) {
        (IndexStatus::Completed, _) => "it was".to_owned(),
        (_, Some(error)) => format!("it failed with {}", error.code),
        (status, None) => format!("it ended as {status:?}"),
    }
}
