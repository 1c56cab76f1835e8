//! A line of the log as one JSON object in which each name stands once: readers keep the last of two, and with it not
//! what was meant. What is in a line comes from others too, so a terminal that shows it finds nothing to obey.

use std::fmt::{self, Debug, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Time, level, the event's fields, where it came from, and the spans it happened in.
#[derive(Debug, Clone, Copy)]
pub struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Line::default();
        line.put("timestamp", time.into());
        line.put("level", event.metadata().level().as_str().into());
        line.put("target", event.metadata().target().into());
        event.record(&mut line);
        let spans: Vec<Value> = context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<N>>();
                let fields = fields.and_then(|fields| serde_json::from_str(&fields.fields).ok());
                let mut fields: Map<String, Value> = fields.unwrap_or_default();
                fields.insert("name".to_owned(), span.name().into());
                Value::Object(fields)
            })
            .collect();
        if !spans.is_empty() {
            line.put("spans", spans.into());
        }
        line.write(&mut writer)
    }
}

/// The members of a line in their order.
#[derive(Default)]
struct Line(Vec<(String, Value)>);

impl Line {
    /// A name that is taken already gets another one.
    fn put(&mut self, name: &str, value: Value) {
        let mut name = name.to_owned();
        while self.0.iter().any(|(known, _)| *known == name) {
            name.insert_str(0, "field.");
        }
        self.0.push((name, value));
    }

    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let mut text = String::new();
        for (name, value) in &self.0 {
            let separator = if text.is_empty() { '{' } else { ',' };
            write!(text, "{separator}{}:{value}", Value::from(name.as_str()))?;
        }
        for c in text.chars() {
            if is_unseen(c) { write!(writer, "\\u{:04x}", u32::from(c))? } else { writer.write_char(c)? }
        }
        writer.write_str("}\n")
    }
}

/// Whether a terminal would obey `c`, or hide it, or turn round what follows. JSON may write it as its number.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_name_stands_twice_in_a_line_and_nothing_in_it_is_obeyed() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(JsonLines);
        tracing::subscriber::with_default(subscriber.finish(), || {
            let span = tracing::info_span!("outer", job.id = 7);
            let _in = span.enter();
            tracing::info!(target = "openai", level = 1, timestamp = true, "a \u{202e}name\u{9b}2J\u{1b}[m");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["field.target"], "openai");
        assert_eq!((&line["field.level"], &line["level"]), (&1.into(), &"INFO".into()));
        assert_eq!(line["spans"][0]["job.id"], 7);
        assert_eq!(line["message"], "a \u{202e}name\u{9b}2J\u{1b}[m");
        assert_eq!(text.matches("\"target\"").count(), 1);
        assert!(text.trim_end().chars().all(|c| !is_unseen(c)), "{text:?}");
    }
}
