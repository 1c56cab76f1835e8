//! Fastio's own AI is asked one short question about the file, told twice under one key; then its thread is removed.

use tokio::time::{Instant, sleep};

use super::Stage;
use crate::fastio::{Error, ErrorKind, Node, Question, Subject, TalkId, TurnAnswer, TurnState};
use crate::rehearse::assumption::{self as a, Assumption};
use crate::rehearse::finding::Book;
use crate::rehearse::made::{self, Made};

const QUESTION: &str = "At how much is liability capped? Answer in one short sentence.";

/// How often a question is told that Fastio says came out of order.
const MOST_TIMES: usize = 3;

/// What only Fastio's AI can tell.
static OF_ITS_AI: [&Assumption; 5] =
    [&a::AI_ASKS_ONCE, &a::AI_THREADS_ARE_LISTED, &a::AI_ANSWERS, &a::AI_CITES_ITS_FILE, &a::AI_THREAD_GOES];

impl Stage<'_> {
    pub(super) async fn ask(&self, book: &mut Book<'_>, made: &mut Made, file: &Node) {
        if !self.asks {
            return book.none_of(&OF_ITS_AI, "Fastio's AI was not asked");
        }
        let (name, key) = (made::question(self.mark), uuid::Uuid::now_v7().to_string());
        let about = Subject::File(&file.id, file.version.as_ref());
        let question = Question { text: QUESTION, name: &name, key: &key, about };
        let first = match self.tell(&question).await {
            Ok(first) => first,
            Err(error) => return book.barred(&OF_ITS_AI, &error),
        };
        made.talks.push(first.thread.clone());
        let again = self.tell(&question).await;
        let again = book.judge(&a::AI_ASKS_ONCE, again, |again| match *again == first {
            true => (true, "the second answer names the same turn".to_owned()),
            false => (false, "the second answer names another turn".to_owned()),
        });
        made.talks.extend(again.map(|again| again.thread).filter(|thread| *thread != first.thread));
        book.judge(&a::AI_THREADS_ARE_LISTED, self.client.talk_named(self.profile, &name).await, |found| {
            match found {
                Some(_) => (true, "it is listed".to_owned()),
                None => (false, "it is not listed".to_owned()),
            }
        });
        self.judge_answer(book, &first, file).await;
        self.judge_removal(book, made, &first).await;
    }

    /// Tells a question, and again under the same key where it came out of order.
    async fn tell(&self, question: &Question<'_>) -> Result<TalkId, Error> {
        let mut times = 1;
        loop {
            match self.client.ask(self.profile, question).await {
                Err(Error { kind: ErrorKind::Conflict, .. }) if times < MOST_TIMES => times += 1,
                told => return told,
            }
            sleep(self.patience.between_looks).await;
        }
    }

    async fn judge_answer(&self, book: &mut Book<'_>, turn: &TalkId, file: &Node) {
        let began = Instant::now();
        let state = loop {
            match self.client.turn(self.profile, turn).await {
                Ok(TurnState::Going) if began.elapsed() < self.patience.for_a_run => {}
                Ok(state) => break state,
                Err(error) => return book.refused(&a::AI_ANSWERS, &error),
            }
            sleep(self.patience.next_look(began)).await;
        };
        let took = began.elapsed();
        let why = match state {
            TurnState::Complete(answer) => return judge(book, &answer, file),
            TurnState::NeedsInput(_) => "it asks something back".to_owned(),
            TurnState::Ended(why) => format!("it ended {why}"),
            TurnState::Going => format!("it was not over after {} seconds", took.as_secs()),
        };
        book.none_of(&[&a::AI_ANSWERS, &a::AI_CITES_ITS_FILE], &why);
    }

    async fn judge_removal(&self, book: &mut Book<'_>, made: &mut Made, turn: &TalkId) {
        if let Err(error) = self.client.delete_talk(self.profile, &turn.thread).await {
            return book.refused(&a::AI_THREAD_GOES, &error);
        }
        match self.client.turn(self.profile, turn).await {
            Ok(_) => book.note(&a::AI_THREAD_GOES, false, "its turn is still shown"),
            Err(error) if error.is_not_found() => {
                made.talks.retain(|thread| *thread != turn.thread);
                book.note(&a::AI_THREAD_GOES, true, "status 404");
            }
            Err(error) => book.refused(&a::AI_THREAD_GOES, &error),
        }
    }
}

fn judge(book: &mut Book<'_>, answer: &TurnAnswer, file: &Node) {
    let length = answer.text.trim().chars().count();
    let cut = if answer.truncated { ", and cut" } else { "" };
    book.note(
        &a::AI_ANSWERS,
        length > 0 && !answer.truncated,
        format!("an answer of {length} characters{cut}"),
    );
    let its = answer.citations.iter().any(|(node, _)| *node == file.id);
    let which = if its { "the file among them" } else { "not the file" };
    let seen = format!("it cites {}, {which}", answer.citations.len());
    book.note(&a::AI_CITES_ITS_FILE, its, seen);
}
