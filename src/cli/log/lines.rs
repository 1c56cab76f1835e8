//! The way of the log's lines to standard error: through a queue, and written by a thread of its own. A thread
//! that logs never waits for the reader, and never learns that there is none.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// What may wait to be written, in bytes: minutes of a busy server at `info`. A reader that is further behind does not read.
const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// How long the end of the process waits for a reader. It takes milliseconds where there is one.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How soon to try again where standard error is open without waiting, and full.
const FULL: Duration = Duration::from_millis(20);

/// The log of this process. When it is dropped it waits for what is still to be written, within a limit.
#[derive(Debug)]
#[must_use = "what is still to be written is waited for when it is dropped"]
pub struct Log(Arc<Shared>);

/// Where lines are handed in.
#[derive(Debug)]
pub struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Waiting>,
    came: Condvar,
    /// All that came is written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that were not written since the last one that was.
    lost: u64,
    writing: bool,
}

impl Log {
    /// A log that is written to `out` for as long as the process lives.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Log> {
        let shared = Arc::new(Shared::default());
        let writer = shared.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_to(out))?;
        Ok(Log(shared))
    }

    pub fn lines(&self) -> Lines {
        Lines(self.0.clone())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

impl Shared {
    /// What is here is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > WAITING_BYTES {
            waiting.lost += 1;
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.to_owned());
        self.came.notify_one();
    }

    fn flush(&self) {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        drop(self.written.wait_timeout_while(self.lock(), LAST_WORDS, busy));
    }

    fn write_to(&self, mut out: impl Write) -> ! {
        let mut broken_off = false;
        loop {
            let idle = |waiting: &mut Waiting| waiting.lines.is_empty();
            let mut waiting = self.came.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let lines = mem::take(&mut waiting.lines);
            waiting.writing = true;
            drop(waiting);
            for line in lines {
                // What is left of a line that broke off is ended, so that the next one is whole.
                let written = if broken_off { write_all(&mut out, b"\n") } else { Ok(()) };
                let written = written.and_then(|()| write_all(&mut out, &line));
                broken_off = matches!(written, Err((true, _))) || broken_off && written.is_err();
                self.done(line.len(), written.map_err(|(_, error)| error));
            }
            self.lock().writing = false;
            self.written.notify_all();
        }
    }

    /// Takes note of what became of a line. The first one that is written after others were not is followed by a word
    /// about those.
    fn done(&self, bytes: usize, written: io::Result<()>) {
        let mut waiting = self.lock();
        waiting.bytes -= bytes;
        let lost = match written {
            Ok(()) => mem::take(&mut waiting.lost),
            Err(_) => {
                waiting.lost += 1;
                0
            }
        };
        drop(waiting);
        if lost > 0 {
            tracing::warn!(lost, "lines of the log could not be written before this one");
        }
    }
}

/// Writes `bytes`; an error says whether some of them were.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> Result<(), (bool, io::Error)> {
    let all = bytes.len();
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err((bytes.len() < all, ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Only this thread waits, and what waits for it has a limit.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL),
            Err(error) => return Err((bytes.len() < all, error)),
        }
    }
    Ok(())
}

/// One event of the log, as the subscriber hands it over.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that a test opens and shuts, and that takes three bytes before it breaks off.
    struct Out {
        open: Receiver<bool>,
        is_open: bool,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Ok(open) = self.open.try_recv() {
                self.is_open = open;
                if !open {
                    let _ = self.taken.send(bytes[..3].to_owned());
                    return Ok(3);
                }
            }
            if !self.is_open {
                return Err(ErrorKind::StorageFull.into());
            }
            let _ = self.taken.send(bytes.to_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_breaks_off_costs_no_other_line_and_what_is_lost_is_counted() {
        let ((open, gate), (taken, text)) = (channel(), channel());
        let log = Log::to(Out { open: gate, is_open: true, taken }).unwrap();
        let say = |line: &str| {
            (&log.lines()).write_all(line.as_bytes()).unwrap();
            log.0.flush();
        };
        say("first\n");
        open.send(false).unwrap();
        say("broken\n");
        say("lost\n");
        assert_eq!(log.0.lock().lost, 2);
        open.send(true).unwrap();
        say("whole\n");
        assert_eq!(log.0.lock().lost, 0);
        let text: Vec<u8> = text.try_iter().flatten().collect();
        assert_eq!(String::from_utf8(text).unwrap(), "first\nbro\nwhole\n");
    }

    #[test]
    fn whoever_logs_waits_for_no_reader_and_fills_no_memory() {
        struct Stuck(Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // Until the test is over.
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (over, stuck) = channel();
        let log = Log::to(Stuck(stuck)).unwrap();
        let line = vec![b'x'; 64 * 1024];
        for _ in 0..200 {
            (&log.lines()).write_all(&line).unwrap();
        }
        let waiting = log.0.lock();
        assert!(waiting.bytes <= WAITING_BYTES && waiting.lost > 100, "{} {}", waiting.bytes, waiting.lost);
        drop(waiting);
        drop(over);
    }
}
