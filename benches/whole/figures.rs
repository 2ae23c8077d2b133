//! What was measured, and the table of it.

use std::time::Duration;

use crate::CALLS;
use crate::environment::{Environment, Start};

/// The figures of one program.
#[derive(Default)]
pub(crate) struct Figures {
    inits: Vec<Duration>,
    firsts: Vec<Duration>,
    calls: Vec<Duration>,
    cpu: Vec<Duration>,
    peak_kib: Vec<u64>,
}

impl Figures {
    pub(crate) fn add_start(&mut self, start: Start) {
        self.inits.push(start.init);
        self.firsts.push(start.first);
    }

    /// Asks a warm environment again and again.
    pub(crate) async fn add_calls(&mut self, environment: &mut Environment) {
        for _ in 0..CALLS / 10 {
            environment.call().await;
        }
        let before = environment.usage();
        for _ in 0..CALLS {
            self.calls.push(environment.call().await);
        }
        let after = environment.usage();
        self.cpu.push(after.cpu.saturating_sub(before.cpu) / u32::try_from(CALLS).unwrap_or(u32::MAX));
        self.peak_kib.push(after.peak_kib);
    }

    fn rows(&self) -> [(&'static str, f64); 6] {
        let milliseconds = |of: &[Duration], percent| 1000.0 * at(of, percent).as_secs_f64();
        [
            ("start until the first `next`, ms", milliseconds(&self.inits, 50)),
            ("start until the first answer, ms", milliseconds(&self.firsts, 50)),
            ("warm call, p50, ms", milliseconds(&self.calls, 50)),
            ("warm call, p99, ms", milliseconds(&self.calls, 99)),
            ("processor time of a warm call, ms", milliseconds(&self.cpu, 50)),
            ("peak memory, MB", at(&self.peak_kib, 50) as f64 * 1024.0 / 1e6),
        ]
    }
}

/// The value below which so many of a hundred are.
fn at<T: Copy + Ord + Default>(values: &[T], percent: usize) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// The table, on standard output.
pub(crate) fn print(floor: &Figures, lambda: &Figures) {
    println!("| | a constant | `lambda` | ratio |\n|---|---|---|---|");
    for ((name, constant), (_, ours)) in floor.rows().into_iter().zip(lambda.rows()) {
        println!("| {name} | {constant:.3} | {ours:.3} | {:.2} |", ours / constant);
    }
}
