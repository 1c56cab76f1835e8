//! A run of code in a container of its own, asked for in flex where that is taken: what is put in, what code leaves, and that the
//! container goes. It is told by its files what came of it, so the run has no conversation.

use bytes::Bytes;
use futures_util::stream;

use super::{MAX_OUTPUT_TOKENS, Stage, TEXT, Used};
use crate::openai::{
    ContainerFile, ContainerId, Error, ErrorKind, NewFile, NewResponse, Response, Status, Tool,
};
use crate::rehearse::assumption::{self as a, Assumption};
use crate::rehearse::finding::Book;
use crate::rehearse::made::Made;

/// What only a run of code can tell.
pub(super) static OF_CODE: [&Assumption; 4] =
    [&a::CONTAINER_HOLDS_A_FILE, &a::FLEX_IS_SAID, &a::CODE_LEAVES_ITS_FILES, &a::CONTAINER_GONE_IS_404];

const NAME: &str = "rehearsal.txt";
const TASK: &str = "Run code once that counts the words of /mnt/data/rehearsal.txt and writes their number into \
                    /mnt/data/words.csv. Then answer with that number alone.";

const FLEX: &str = "flex";

/// Whose a file in a container is: what was put in, and what code made.
const USER: &str = "user";
const ASSISTANT: &str = "assistant";

impl Stage<'_> {
    pub(super) async fn code(&self, book: &mut Book<'_>, made: &mut Made, model: &str, used: &mut Used) {
        let container = match self.client.create_container(self.mark).await {
            Ok(container) => container,
            Err(error) => return book.barred(&OF_CODE, &error),
        };
        made.containers.push(container.clone());
        self.fill(book, &container).await;
        match self.run_code(book, made, (&container, model)).await {
            Ok(ended) => {
                used.tokens += ended.usage.map_or(0, |usage| usage.total_tokens);
                self.judge_code(book, &container, &ended).await;
            }
            Err(error) => book.barred(&[&a::CODE_LEAVES_ITS_FILES, &a::FLEX_IS_SAID], &error),
        }
        self.judge_gone(book, made, &container).await;
    }

    async fn fill(&self, book: &mut Book<'_>, container: &ContainerId) {
        let new = NewFile { filename: NAME, mime_type: "text/plain", length: TEXT.len() as u64 };
        let content = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(TEXT.as_bytes()))]);
        if let Err(error) = self.client.fill_container(container, new, content).await {
            return book.refused(&a::CONTAINER_HOLDS_A_FILE, &error);
        }
        let listed = self.client.container_files(container, None).await;
        book.judge(&a::CONTAINER_HOLDS_A_FILE, listed, |page| {
            match page.items.iter().find(|file| file.name() == NAME) {
                Some(ContainerFile { source: Some(source), .. }) if source == USER => {
                    (true, "it is listed by its name as the user's".to_owned())
                }
                Some(_) => (false, "it is listed by its name, and not as the user's".to_owned()),
                None => (false, format!("it is not listed by its name, among {}", page.items.len())),
            }
        });
    }

    /// In flex, and if that is refused as the project is set.
    async fn run_code(
        &self,
        book: &mut Book<'_>,
        made: &mut Made,
        (container, model): (&ContainerId, &str),
    ) -> Result<Response, Error> {
        let tools = [Tool::CodeIn(container.clone())];
        let asked = |service_tier| NewResponse {
            model,
            text: TASK,
            tools: &tools,
            max_output_tokens: Some(MAX_OUTPUT_TOKENS),
            max_tool_calls: Some(1),
            service_tier,
            metadata: self.metadata(),
            ..NewResponse::default()
        };
        match self.start(made, &asked(Some(FLEX))).await {
            Ok(begun) => {
                let ended = self.follow(begun).await?;
                if ended.status.is_terminal() {
                    let said = ended.service_tier.as_deref();
                    let seen = format!("it says {}", said.unwrap_or("nothing of it"));
                    book.note(&a::FLEX_IS_SAID, said == Some(FLEX), seen);
                } else {
                    let seconds = self.patience.for_a_run.as_secs();
                    book.unknown(&a::FLEX_IS_SAID, format!("the run was not over after {seconds} seconds"));
                }
                Ok(ended)
            }
            Err(error)
                if matches!(error.kind, ErrorKind::Rejected { .. } | ErrorKind::RateLimited { .. }) =>
            {
                book.refused(&a::FLEX_IS_SAID, &error);
                self.follow(self.start(made, &asked(None)).await?).await
            }
            Err(error) => Err(error),
        }
    }

    async fn judge_code(&self, book: &mut Book<'_>, container: &ContainerId, ended: &Response) {
        if ended.status != Status::Completed || ended.output.containers.is_empty() {
            let seen = format!("the run is {}, and ran no code that it tells of", ended.status.as_str());
            return book.unknown(&a::CODE_LEAVES_ITS_FILES, seen);
        }
        let is_there = ended.output.containers.contains(container);
        let listed = self.client.container_files(container, None).await;
        book.judge(&a::CODE_LEAVES_ITS_FILES, listed, |page| {
            let made = page.items.iter().filter(|file| file.source.as_deref() == Some(ASSISTANT)).count();
            let place = if is_there { "in the container that it was given" } else { "in another container" };
            (is_there && made > 0, format!("code ran {place}; listed as the assistant's: {made}"))
        });
    }

    async fn judge_gone(&self, book: &mut Book<'_>, made: &mut Made, container: &ContainerId) {
        if let Err(error) = self.client.delete_container(container).await {
            return book.refused(&a::CONTAINER_GONE_IS_404, &error);
        }
        match self.client.container_files(container, None).await {
            Ok(_) => book.note(&a::CONTAINER_GONE_IS_404, false, "its files are still listed"),
            Err(error) if error.is_not_found() => {
                made.containers.retain(|known| known != container);
                book.note(&a::CONTAINER_GONE_IS_404, true, "status 404");
            }
            Err(error) => book.refused(&a::CONTAINER_GONE_IS_404, &error),
        }
    }
}
