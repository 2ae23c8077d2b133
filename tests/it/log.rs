//! What a test hears of the log.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{Targets, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context as LayerContext, Filter, Layer, SubscriberExt};

thread_local! {
    static LISTENER: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// All that is logged on this thread, as the programs would log it.
#[derive(Clone, Default)]
pub(crate) struct Log {
    json: bool,
    bytes: Arc<Mutex<Vec<u8>>>,
}

/// Listens until it is dropped.
pub(crate) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENER.take();
    }
}

impl Log {
    /// Listens from here on; this crate at every level, libraries as the programs let them.
    pub(crate) fn start(json: bool) -> (Self, Listening) {
        // One subscriber for all tests: what is worth logging is remembered for the whole process.
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let layer = || tracing_subscriber::fmt::layer().with_writer(Here).with_ansi(false);
            let layers = vec![
                layer().json().flatten_event(true).with_filter(heard(true)).boxed(),
                layer().with_filter(heard(false)).boxed(),
            ];
            let subscriber = tracing_subscriber::registry().with(layers);
            tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
        });
        let log = Self { json, ..Self::default() };
        LISTENER.set(Some(log.clone()));
        (log, Listening)
    }

    /// What was heard.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }

    /// The line of each request.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let lines: Vec<Value> =
            self.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        lines.into_iter().filter(|line| line["message"] == "request").collect()
    }
}

/// Lets through what somebody on this thread listens to in this form.
fn heard<S: Subscriber>(json: bool) -> impl Filter<S> {
    let targets = Targets::new().with_default(LevelFilter::WARN).with_target("defender_enrich", LevelFilter::TRACE);
    dynamic_filter_fn(move |metadata: &Metadata<'_>, _: &LayerContext<'_, S>| {
        let listens = LISTENER.with_borrow(|log| log.as_ref().is_some_and(|log| log.json == json));
        listens && targets.would_enable(metadata.target(), metadata.level())
    })
}

/// Writes to whoever listens on this thread.
struct Here;

impl io::Write for Here {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LISTENER.with_borrow(|log| log.as_ref().map_or(Ok(bytes.len()), |log| log.bytes.lock().unwrap().write(bytes)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Here {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
