//! JSON-RPC 2.0 as MCP uses it, in the two ways that its revisions have: with a handshake before all else (`Legacy`, up to 2025-11-25), or
//! with the revision in each request and no handshake (`Modern`, from 2026-07-28). Facts are from the specification, revision 2026-07-28,
//! "Versioning" and "Overview". Either way no request needs an earlier one, so whichever server is asked can answer.

use serde_json::{Map, Value, json};

/// The revision without a handshake.
pub const MODERN: &str = "2026-07-28";

/// Those with one, the newest first. An older client is told the first of these, and may go.
pub const LEGACY: [&str; 2] = ["2025-11-25", "2025-06-18"];

/// Where a modern request has its revision, and what its client can do.
pub const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

pub const PARSE_ERROR: i64 = -32_700;
pub const INVALID_REQUEST: i64 = -32_600;
pub const METHOD_NOT_FOUND: i64 = -32_601;
pub const INVALID_PARAMS: i64 = -32_602;
pub const INTERNAL_ERROR: i64 = -32_603;
pub const HEADER_MISMATCH: i64 = -32_020;
pub const UNSUPPORTED_VERSION: i64 = -32_022;

/// What a client sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    Call(Call),
    /// Something happened at the client. It is not answered, and nothing here depends on it.
    Notification,
}

/// A request that is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// A text or a whole number.
    pub id: Value,
    pub method: String,
    pub params: Map<String, Value>,
}

/// Which way a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Modern,
}

/// Why a request is not answered with a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub code: i64,
    pub message: String,
    pub data: Option<Value>,
    /// The request itself is not as the protocol has it, and not only what it asks for.
    pub is_malformed: bool,
}

impl Fault {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Fault { code, message: message.into(), data: None, is_malformed: false }
    }

    pub fn malformed(code: i64, message: impl Into<String>) -> Self {
        Fault { is_malformed: true, ..Fault::new(code, message) }
    }
}

impl Incoming {
    /// One message.
    ///
    /// # Errors
    /// What is none; with the id of its request, if it has one.
    pub fn read(text: &[u8]) -> Result<Incoming, (Value, Fault)> {
        let wrong = |words| (Value::Null, Fault::malformed(INVALID_REQUEST, words));
        let message: Value = serde_json::from_slice(text)
            .map_err(|_| (Value::Null, Fault::malformed(PARSE_ERROR, "that is no JSON")))?;
        let Value::Object(mut message) = message else {
            return Err(wrong("send one JSON-RPC message at a time, as an object"));
        };
        if message.get("jsonrpc") != Some(&json!("2.0")) {
            return Err(wrong("`jsonrpc` is not \"2.0\""));
        }
        let Some(Value::String(method)) = message.remove("method") else {
            return Err(wrong("it has no `method`: this server asks nothing, so it takes no answers"));
        };
        let Some(id) = message.remove("id") else { return Ok(Incoming::Notification) };
        if !(id.is_string() || id.is_i64() || id.is_u64()) {
            return Err(wrong("`id` is no text and no whole number"));
        }
        match message.remove("params") {
            None => Ok(Incoming::Call(Call { id, method, params: Map::new() })),
            Some(Value::Object(params)) => Ok(Incoming::Call(Call { id, method, params })),
            Some(_) => Err((id, Fault::malformed(INVALID_PARAMS, "`params` is no object"))),
        }
    }
}

impl Call {
    /// What `params` has under this name, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }

    fn meta(&self, name: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(name)
    }

    /// The revision that it says it is of.
    pub fn version(&self) -> Option<&str> {
        self.meta(VERSION)?.as_str()
    }

    /// What an intermediary may route by beside the method: the tool or the resource.
    pub fn name(&self) -> Option<&str> {
        match self.method.as_str() {
            "tools/call" | "prompts/get" => self.text("name"),
            "resources/read" => self.text("uri"),
            _ => None,
        }
    }

    /// Which way it goes. `declared` is the revision that something else than its body says.
    ///
    /// # Errors
    /// A revision that is not spoken here, or a modern request without what each must have.
    pub fn era(&self, declared: Option<&str>) -> Result<Era, Fault> {
        let version = self.version();
        // The handshake is there only in the older revisions, whichever it names.
        if self.method == "initialize" && version.is_none() {
            return Ok(Era::Legacy);
        }
        let is_modern = version.is_some()
            || self.method == "server/discover"
            || declared.is_some_and(|declared| !LEGACY.contains(&declared));
        if !is_modern {
            return Ok(Era::Legacy);
        }
        match (version, self.meta(CAPABILITIES)) {
            (Some(MODERN), Some(Value::Object(_))) => Ok(Era::Modern),
            (Some(version), _) if version != MODERN => Err(unsupported(version)),
            (None, _) if declared.is_some_and(|declared| declared != MODERN) => {
                Err(unsupported(declared.unwrap_or_default()))
            }
            _ => Err(Fault::malformed(
                INVALID_PARAMS,
                format!("`params._meta` has to have `{VERSION}` and `{CAPABILITIES}`"),
            )),
        }
    }
}

fn unsupported(requested: &str) -> Fault {
    let supported: Vec<&str> = [MODERN].into_iter().chain(LEGACY).collect();
    let data = json!({"supported": supported, "requested": requested});
    Fault { data: Some(data), ..Fault::malformed(UNSUPPORTED_VERSION, "Unsupported protocol version") }
}

/// The answer to a request, as one JSON object.
pub fn answer(id: &Value, answered: Result<Value, Fault>) -> Value {
    match answered {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(Fault { code, message, data, .. }) => {
            let mut error = json!({"code": code, "message": message});
            if let Some(data) = data {
                error["data"] = data;
            }
            json!({"jsonrpc": "2.0", "id": id, "error": error})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Call {
        match Incoming::read(text.as_bytes()) {
            Ok(Incoming::Call(call)) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_says_why_and_a_notification_is_not_answered() {
        for (text, code) in [
            ("{", PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, INVALID_PARAMS),
        ] {
            assert_eq!(Incoming::read(text.as_bytes()).unwrap_err().1.code, code, "{text}");
        }
        let told = Incoming::read(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert_eq!(told, Ok(Incoming::Notification));
    }

    #[test]
    fn a_request_says_itself_which_way_it_goes() {
        let era = |text: &str, declared| call(text).era(declared);
        let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert_eq!(era(plain, None), Ok(Era::Legacy));
        assert_eq!(era(plain, Some("2025-06-18")), Ok(Era::Legacy));
        assert_eq!(era(plain, Some(MODERN)).unwrap_err().code, INVALID_PARAMS);
        assert_eq!(era(plain, Some("1900-01-01")).unwrap_err().code, UNSUPPORTED_VERSION);
        let with = |version: &str| {
            let meta = json!({VERSION: version, CAPABILITIES: {}});
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}).to_string()
        };
        assert_eq!(era(&with(MODERN), None), Ok(Era::Modern));
        let unsupported = era(&with("2099-01-01"), None).unwrap_err();
        assert_eq!(unsupported.data.unwrap()["supported"], json!([MODERN, LEGACY[0], LEGACY[1]]));
        let hello =
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}"#;
        assert_eq!(era(hello, Some(MODERN)), Ok(Era::Legacy));
    }
}
