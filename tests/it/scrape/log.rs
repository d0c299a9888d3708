//! The log of a run: JSON lines at the level that the functions log at, and everything of keyvend's own down to DEBUG.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// What was logged on this thread.
pub struct Log {
    lines: Lines,
    _until: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// While there is one dispatcher only, tracing asks the thread that first meets an event whether anybody wants it, and keeps a
/// no from a thread that has none for all threads. With a second one, all are asked.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

impl Log {
    /// Begins to keep what is logged.
    pub fn keep() -> Self {
        LazyLock::force(&SECOND);
        let lines = Lines::default();
        let json = tracing_subscriber::fmt::layer().json().with_writer(lines.clone());
        let levels = Targets::new().with_target("keyvend", Level::DEBUG).with_default(Level::INFO);
        let subscriber = tracing_subscriber::registry().with(json).with(levels);
        Self { lines, _until: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}
