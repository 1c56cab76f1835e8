//! How the story looks: numbered steps, what was done, and what Docket made of it, on 80 columns.

use std::io;

use super::super::output;
use super::super::shown::Shown;
use super::super::text::{Paint, wrap};

/// The width that everything is laid out for.
pub const WIDTH: usize = 80;

/// Before everything that belongs to a step.
pub const INDENT: &str = "   ";

/// Where the story is told.
#[derive(Debug, Clone, Copy)]
pub struct Teller {
    pub paint: Paint,
    to_stderr: bool,
}

impl Teller {
    pub fn stdout() -> Self {
        Teller { paint: Paint::stdout(), to_stderr: false }
    }

    pub fn stderr() -> Self {
        Teller { paint: Paint::stderr(), to_stderr: true }
    }

    pub fn say(&self, line: impl Into<Shown>) -> io::Result<()> {
        if self.to_stderr { output::error_line(line) } else { output::line(line) }
    }

    pub fn text(&self, lines: &str) -> io::Result<()> {
        lines.lines().try_for_each(|line| self.say(line))
    }

    /// The beginning of a step.
    pub fn step(&self, number: u8, what: &str) -> io::Result<()> {
        self.say("")?;
        self.say(self.paint.mark(number.to_string()) + "  " + self.paint.bold(what))
    }

    /// A file, something about it, and what became of it.
    pub fn file(&self, path: &str, about: &str, result: &str) -> io::Result<()> {
        self.say(Shown::from(format!("{INDENT}{path:<40} {about:>7}   ")) + self.paint.good(result))
    }

    /// What leads over to what follows.
    pub fn aside(&self, text: &str) -> io::Result<()> {
        self.say(format!("{INDENT}{text}"))
    }

    /// What Docket did.
    pub fn result(&self, text: &str) -> io::Result<()> {
        let mut lines = wrap(text, WIDTH - INDENT.len() - 2).into_iter();
        let first = lines.next().unwrap_or_default();
        self.say(Shown::from(INDENT) + self.paint.good("→") + " " + first)?;
        lines.try_for_each(|line| self.say(format!("{INDENT}  {line}")))
    }

    /// Words of a document.
    pub fn quote(&self, source: &str, text: &str) -> io::Result<()> {
        self.say(Shown::from(INDENT) + self.paint.mark(source))?;
        for line in wrap(text, WIDTH - INDENT.len() - 2) {
            self.say(Shown::from(INDENT) + self.paint.dim("│") + " " + line)?;
        }
        Ok(())
    }
}
