//! How many responses of a model may be under way: as many as the account may have tokens and requests in a minute, which OpenAI
//! says with each answer about the model. What was begun within the last minute and what still goes on counts, by what it took or
//! else by what is expected of it. So runs that come together wait here, and not at OpenAI, where each would be a failed response.
//!
//! Until something was heard of a model, a few are begun to hear it.

use super::{LEAST_TURN_MS, Turn};
use crate::openai::ModelLimits;

pub const MINUTE_MS: i64 = 60_000;

/// Begun within [`UNHEARD_MS`], while nothing was heard.
const UNHEARD: usize = 2;
const UNHEARD_MS: i64 = 10_000;

/// How long one is waited for at least that goes on and has been going on for a minute.
const GOES_ON_MS: i64 = 5_000;

/// A response that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub begun_at: i64,
    pub tokens: i64,
    pub goes_on: bool,
}

/// What a run wants to begin.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub model: &'a str,
    pub limits: Option<ModelLimits>,
    pub tokens: u64,
}

/// How long the run waits beside those that were begun, oldest first; not at all when there is room.
pub fn turn(begun: &[Begun], wanted: &Wanted<'_>, now: i64) -> Option<Turn> {
    let Some(limits) = wanted.limits else {
        let asking = begun.iter().filter(|one| one.begun_at > now - UNHEARD_MS).count();
        let reason = format!("waits until OpenAI has said what the limits of {} are", wanted.model);
        return (asking >= UNHEARD).then(|| spread(reason, LEAST_TURN_MS));
    };
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let of = |what: &str, limit: u64, own: i64, each: fn(&Begun) -> i64| {
        let wait = until(begun, (own, signed(limit), each), now)?;
        let reason =
            format!("waits for the limit of {limit} {what} a minute that OpenAI tells of {}", wanted.model);
        Some(spread(reason, wait))
    };
    let requests = limits.requests.and_then(|limit| of("requests", limit, 1, |_| 1));
    let tokens = limits.tokens.and_then(|limit| of("tokens", limit, signed(wanted.tokens), |one| one.tokens));
    [requests, tokens].into_iter().flatten().max_by_key(|turn| turn.wait_ms)
}

/// What is left of a model's limit within the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// `requests` or `tokens`.
    pub limit: &'static str,
    pub left: u64,
    pub most: u64,
}

/// What is left beside those that were begun.
pub fn left(begun: &[Begun], limits: ModelLimits) -> Vec<Left> {
    let tokens = begun.iter().map(|one| u64::try_from(one.tokens).unwrap_or_default()).sum();
    let of = |limit, most: Option<u64>, used: u64| {
        most.map(|most| Left { limit, left: most.saturating_sub(used), most })
    };
    let limits = [of("requests", limits.requests, begun.len() as u64), of("tokens", limits.tokens, tokens)];
    limits.into_iter().flatten().collect()
}

/// How long until there is room for `own`; none when there is. What is more than the limit alone begins when nothing else counts.
fn until(begun: &[Begun], (own, limit, each): (i64, i64, fn(&Begun) -> i64), now: i64) -> Option<i64> {
    let room = (limit - own).max(0);
    let mut sum: i64 = begun.iter().map(each).sum();
    let mut wait = None;
    for one in begun {
        if sum <= room {
            break;
        }
        sum -= each(one);
        let leaves = one.begun_at + MINUTE_MS - now;
        wait = Some(if one.goes_on { leaves.max(GOES_ON_MS) } else { leaves.max(1) });
    }
    wait
}

/// Not all of those that wait look at once.
fn spread(reason: String, wait_ms: i64) -> Turn {
    Turn { reason, wait_ms: wait_ms + fastrand::i64(0..=LEAST_TURN_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(times: &[(i64, i64, bool)]) -> Vec<Begun> {
        times
            .iter()
            .map(|(begun_at, tokens, goes_on)| Begun {
                begun_at: *begun_at,
                tokens: *tokens,
                goes_on: *goes_on,
            })
            .collect()
    }

    fn wait(begun: &[Begun], tokens: u64, (requests, limit): (u64, u64)) -> Option<i64> {
        let limits = Some(ModelLimits { requests: Some(requests), tokens: Some(limit) });
        turn(begun, &Wanted { model: "m", limits, tokens }, 60_000).map(|turn| turn.wait_ms)
    }

    #[test]
    fn a_run_waits_until_what_was_begun_leaves_room_for_it() {
        let of_a_minute = begun(&[(10_000, 40, false), (50_000, 40, true)]);
        assert_eq!(wait(&of_a_minute, 20, (9, 100)), None);
        let for_tokens = wait(&of_a_minute, 30, (9, 100)).unwrap();
        assert!(
            (10_000..=12_000).contains(&for_tokens),
            "the first leaves ten seconds from now: {for_tokens}"
        );
        let for_requests = wait(&of_a_minute, 1, (2, 100)).unwrap();
        assert!((10_000..=12_000).contains(&for_requests), "{for_requests}");
        assert!(wait(&of_a_minute, 500, (9, 100)).unwrap() >= 50_000, "more than the limit waits for all");
        assert_eq!(wait(&[], 500, (9, 100)), None, "and then begins");
    }

    #[test]
    fn what_was_begun_is_not_left() {
        let limits = ModelLimits { requests: Some(9), tokens: Some(100) };
        let of_a_minute = begun(&[(10_000, 40, false), (50_000, 40, true)]);
        let [requests, tokens] = left(&of_a_minute, limits)[..] else { panic!("there are two") };
        assert_eq!(requests, Left { limit: "requests", left: 7, most: 9 });
        assert_eq!(tokens, Left { limit: "tokens", left: 20, most: 100 });
        assert_eq!(left(&begun(&[(1, 500, true)]), limits)[1].left, 0);
        assert_eq!(left(&of_a_minute, ModelLimits::default()), []);
    }

    #[test]
    fn a_few_begin_to_hear_of_a_limit() {
        let asked = |begun: &[Begun]| turn(begun, &Wanted { model: "m", limits: None, tokens: 9 }, 60_000);
        assert_eq!(asked(&begun(&[(59_000, 9, true)])), None);
        assert!(
            asked(&begun(&[(59_000, 9, true), (59_001, 9, true)])).unwrap().reason.starts_with("waits until")
        );
        assert_eq!(asked(&begun(&[(1, 9, true), (2, 9, true)])), None, "those of long ago ask nothing");
        let silent = Wanted { model: "m", limits: Some(ModelLimits::default()), tokens: 9 };
        assert_eq!(turn(&begun(&[(59_000, 9, true); 50]), &silent, 60_000), None, "a server without limits");
    }
}
