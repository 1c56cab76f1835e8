//! A batch of one request, found in the lists where a lost reply would have it looked for, and cancelled: it may take a day.

use tokio::time::{Instant, sleep};

use super::Stage;
use crate::openai::{BatchStatus, Error, ErrorKind, NewResponse, RequestBatch, batch_line};
use crate::rehearse::assumption::{self as a, Assumption};
use crate::rehearse::finding::Book;
use crate::rehearse::made::{KEY, Made};

/// What only a batch can tell.
pub(super) static OF_A_BATCH: [&Assumption; 3] =
    [&a::REQUESTS_ARE_LISTED, &a::BATCH_IS_FOUND, &a::BATCH_IS_CANCELLED];

/// The least that OpenAI's OpenAPI document allows.
const MAX_OUTPUT_TOKENS: u64 = 16;

impl Stage<'_> {
    pub(super) async fn batch(&self, book: &mut Book<'_>, made: &mut Made, model: &str) {
        let name = format!("{}.jsonl", self.mark);
        let asked = NewResponse {
            model,
            text: "Say yes.",
            max_output_tokens: Some(MAX_OUTPUT_TOKENS),
            ..NewResponse::default()
        };
        let line = batch_line("rehearsal-1", &asked);
        let input = match self.client.upload_requests(&name, line.into()).await {
            Ok(file) => file.id,
            Err(error) => return book.barred(&OF_A_BATCH, &error),
        };
        made.files.push(input.clone());
        book.judge(&a::REQUESTS_ARE_LISTED, self.client.request_files(None).await, |page| {
            let listed = page.items.iter().find(|file| file.id == input);
            match listed.map(|file| file.filename == name) {
                Some(true) => (true, "it is listed by its name".to_owned()),
                Some(false) => (false, "it is listed by another name".to_owned()),
                None => (false, "it is not on the list's first page".to_owned()),
            }
        });
        let began = Instant::now();
        let created = loop {
            match self.client.create_request_batch(&input, &self.metadata()).await {
                // A fresh file that is not there yet.
                Err(error) if error.is_not_found() && began.elapsed() < self.patience.for_news => {
                    sleep(self.patience.next_look(began)).await;
                }
                created => break created,
            }
        };
        let id = match created {
            Ok(batch) => batch.id,
            Err(error) => return book.barred(&[&a::BATCH_IS_FOUND, &a::BATCH_IS_CANCELLED], &error),
        };
        made.batches.push(id.clone());
        book.judge(&a::BATCH_IS_FOUND, self.client.request_batches(None).await, |page| {
            let is_marked =
                |batch: &RequestBatch| batch.metadata.get(KEY).is_some_and(|marked| marked == self.mark);
            match page.items.iter().find(|batch| batch.id == id).map(is_marked) {
                Some(true) => (true, "it is listed with its metadata".to_owned()),
                Some(false) => (false, "it is listed without its metadata".to_owned()),
                None => (false, "it is not on the list's first page".to_owned()),
            }
        });
        self.cancel_batch(book, &id).await;
    }

    async fn cancel_batch(&self, book: &mut Book<'_>, id: &str) {
        let cancelled = self.client.cancel_request_batch(id).await;
        let shown = self.client.request_batch(id).await;
        let word = book.last().and_then(|seen| Some(seen.body?.get("status")?.as_str()?.to_owned()));
        let word = word.unwrap_or_else(|| "not said".to_owned());
        match (cancelled, shown) {
            (Ok(()), Ok(_)) if ["cancelling", "cancelled"].contains(&word.as_str()) => {
                book.note(&a::BATCH_IS_CANCELLED, true, format!("it is {word}"));
            }
            (cancelled, Ok(RequestBatch { status: BatchStatus::Over | BatchStatus::Failed, .. })) => {
                let said = cancelled.err().map(|error| format!(" ({error})")).unwrap_or_default();
                book.unknown(
                    &a::BATCH_IS_CANCELLED,
                    format!("it was over before it was cancelled: {word}{said}"),
                );
            }
            (Ok(()), Ok(_)) => {
                book.note(&a::BATCH_IS_CANCELLED, false, format!("it was told to end, and is {word}"));
            }
            (Err(Error { kind: ErrorKind::StillProcessing, .. }), Ok(_)) => {
                book.note(
                    &a::BATCH_IS_CANCELLED,
                    false,
                    format!("it could not be told to end, and is {word}"),
                );
            }
            (Err(error), _) | (_, Err(error)) => book.refused(&a::BATCH_IS_CANCELLED, &error),
        }
    }
}
