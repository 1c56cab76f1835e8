//! Why a response failed, and what that means for asking again.
//!
//! OpenAI's OpenAPI document 2.3.0 lists the codes of `response.error`: `server_error`, `rate_limit_exceeded`,
//! `vector_store_timeout`, `invalid_prompt`, `data_residency_mismatch`, `bio_policy`, and fourteen about images; its library adds
//! `misalignment_policy_violation`. Reports of the real service show `context_length_exceeded` and, for an account without credit,
//! the sentence of `insufficient_quota`. Compatible servers put others' words and bare statuses there. Codes are added without
//! notice, so the sentence is read too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::value::Fields;
use crate::http::wait::wait_in;

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Such as `server_error`; codes have been added before.
    pub code: String,
    pub message: String,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The account goes too fast: the same passes later. The service may say how much later.
    Limit { wait: Option<Duration> },
    /// The account has no credit left.
    Credit,
    /// The service had trouble: the same may pass.
    Service,
    /// More was shown than the model can read, or than the account may send at once. The same never passes.
    Size,
    /// What was asked, or shown: the same fails again.
    Content,
}

impl Failure {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Failure {
            code: fields.text("code").unwrap_or_default(),
            message: fields.text("message").unwrap_or_default(),
        }
    }

    pub fn about(&self) -> About {
        let (code, said) = (self.code.as_str(), self.message.as_str());
        if is_too_large(Some(code), said) {
            return About::Size;
        }
        if is_about_money(code) || said.contains("exceeded your current quota") {
            return About::Credit;
        }
        match code {
            "rate_limit_exceeded"
            | "rate_limit_error"
            | "rate_limit"
            | "rate_limited"
            | "too_many_requests"
            | "tokens"
            | "requests"
            | "slow_down"
            | "429" => About::Limit { wait: wait_in(said) },
            ""
            | "server_error"
            | "internal_error"
            | "internal_server_error"
            | "vector_store_timeout"
            | "timeout"
            | "service_unavailable"
            | "overloaded"
            | "overloaded_error"
            | "server_overloaded"
            | "500"
            | "502"
            | "503"
            | "504" => About::Service,
            _ if said.starts_with("Rate limit reached") => About::Limit { wait: wait_in(said) },
            _ => About::Content,
        }
    }
}

/// The words for an account without credit: the first is documented as type and as code, the others are seen in issue threads.
pub(super) fn is_about_money(word: &str) -> bool {
    ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"].contains(&word)
}

/// Whether a refusal or failure says that what was sent is more than can ever be taken at once: for the model's window, or for what
/// the account may send in a minute. The latter comes as 429, with the code of a rate limit, and passes never (issue threads).
pub(super) fn is_too_large(code: Option<&str>, said: &str) -> bool {
    if matches!(code, Some("context_length_exceeded" | "request_too_large" | "input_too_large")) {
        return true;
    }
    let lower = said.to_ascii_lowercase();
    ["context window", "maximum context length", "context length exceeded", "request too large"]
        .iter()
        .any(|words| lower.contains(words))
        || asks_for_more_than_the_limit(&lower)
}

/// "Limit 30000, Requested 90000", whatever stands around it.
fn asks_for_more_than_the_limit(said: &str) -> bool {
    let number = |word: &str| {
        // The last time: the name of a rate limit may come before it.
        let (_, after) = said.rsplit_once(word)?;
        let after = after.trim_start_matches([' ', ':', '=']);
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    number("limit").zip(number("requested")).is_some_and(|(limit, requested)| requested > limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(code: &str, message: &str) -> About {
        Failure { code: code.into(), message: message.into() }.about()
    }

    #[test]
    fn every_documented_code_has_its_meaning() {
        for code in ["server_error", "vector_store_timeout", "503", ""] {
            assert_eq!(about(code, "x"), About::Service, "{code}");
        }
        assert_eq!(about("rate_limit_exceeded", "x"), About::Limit { wait: None });
        for code in [
            "invalid_prompt",
            "data_residency_mismatch",
            "bio_policy",
            "invalid_image",
            "misalignment_policy_violation",
        ] {
            assert_eq!(about(code, "x"), About::Content, "{code}");
        }
        assert_eq!(about("context_length_exceeded", "x"), About::Size);
        assert_eq!(about("insufficient_quota", "x"), About::Credit);
        assert_eq!(about("server_error", "You exceeded your current quota, please check …"), About::Credit);
    }

    #[test]
    fn a_limit_that_passes_is_told_from_one_that_never_does() {
        let passes = "Rate limit reached for m in organization o on tokens per min (TPM): Limit 30000, Used 14567, \
                      Requested 24754. Please try again in 18.642s. Visit …";
        let wait = Some(Duration::from_millis(18_642));
        assert_eq!(about("rate_limit_exceeded", passes), About::Limit { wait });
        for never in [
            "Request too large for m on tokens per min (TPM): Limit 30000, Requested 90000. The input must be reduced.",
            "tokens per min: Limit 30000, Requested 90000",
            "Your input exceeds the context window of this model.",
            "This model's maximum context length is 4097 tokens. However, your messages resulted in 4294 tokens.",
        ] {
            assert_eq!(about("rate_limit_exceeded", never), About::Size, "{never}");
        }
    }
}
