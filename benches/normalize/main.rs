//! What it costs to make an answer of a body, step by step, beside a `serde_json::Value` round trip of the same bytes.
//!
//! `cargo bench --bench normalize`; `docs/performance.md` has the figures.

#![expect(clippy::expect_used, reason = "a measurement that cannot go on stops")]

mod bodies;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use defender_enrich::backend::defender;
use defender_enrich::domain::enrichment::{Answer, BackendName, CacheState, RenderOptions, Source};
use defender_enrich::domain::findings::Findings;
use defender_enrich::domain::portal::Portal;
use defender_enrich::domain::subject::{IncidentId, Kind};
use defender_enrich::domain::timestamp::Timestamp;
use defender_enrich::formats::{self, Format, OutputOptions};
use serde_json::Value;

/// One body, and how it is read.
struct Case {
    name: String,
    kind: Kind,
    body: Bytes,
}

impl Case {
    fn all() -> Vec<Self> {
        let list =
            |alerts| Self { name: format!("list of {alerts}"), kind: Kind::Machine, body: bodies::list(alerts).into() };
        let incident =
            Self { name: "incident of 200".to_owned(), kind: Kind::Incident, body: bodies::incident(200).into() };
        [1, 100, 1000, 5000].into_iter().map(list).chain([incident]).collect()
    }

    fn findings(&self) -> Findings {
        let findings = match (self.kind, IncidentId::parse("924565")) {
            (Kind::Incident, Some(id)) => defender::read_incident(&self.body, id, Portal::Commercial),
            _ => defender::read_list(&self.body, Portal::Commercial),
        };
        findings.unwrap_or_else(|| panic!("{}: not read", self.name))
    }

    fn answer(&self, findings: Findings) -> Answer {
        Answer {
            kind: self.kind,
            input: "desk-042.contoso.com".to_owned(),
            id: "362ded5edf49a09eff1a4645db892f3af1c2e2cd".to_owned(),
            url: None,
            resolution: Vec::new(),
            warnings: Vec::new(),
            findings: Arc::new(findings),
            context: None,
            source: Source {
                product: "Microsoft Defender for Endpoint",
                backend: BackendName::Defender,
                api: "GET /api/machines/{id}/alerts",
                retrieved_at: Timestamp::from_unix_seconds(1_793_700_000),
                cache: CacheState::Miss,
                age_s: 0,
            },
        }
    }
}

/// What callers get unless they ask for more.
fn render_options() -> RenderOptions {
    RenderOptions { limit: 50, raw: false, warnings: Vec::new(), notified: None }
}

/// All of it, so that formats are compared by the alert.
fn whole() -> RenderOptions {
    RenderOptions { limit: usize::MAX, ..render_options() }
}

fn json(answer: &Answer, render_options: &RenderOptions) -> Vec<u8> {
    formats::render(answer, render_options, OutputOptions::of(Format::Json), usize::MAX)
}

fn bench(criterion: &mut Criterion) {
    for case in Case::all() {
        let mut group = criterion.benchmark_group(&case.name);
        group.throughput(Throughput::Bytes(case.body.len() as u64));
        group.bench_function("reference: Value parse and write", |bencher| {
            bencher.iter(|| {
                let value: Value = serde_json::from_slice(black_box(&case.body)).expect("JSON");
                serde_json::to_vec(&value).expect("JSON")
            });
        });
        group.bench_function("normalize", |bencher| bencher.iter(|| black_box(&case).findings()));
        let answer = case.answer(case.findings());
        group.bench_function("roll up", |bencher| {
            bencher.iter(|| black_box(&answer).enrichment(&render_options()).counts);
        });
        group.bench_function("render", |bencher| bencher.iter(|| json(black_box(&answer), &render_options())));
        group.bench_function("body to answer", |bencher| {
            bencher.iter(|| json(&case.answer(black_box(&case).findings()), &render_options()));
        });
        for format in Format::ALL {
            group.bench_function(BenchmarkId::new("render all as", format.as_str()), |bencher| {
                bencher.iter(|| formats::render(black_box(&answer), &whole(), OutputOptions::of(format), usize::MAX));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
