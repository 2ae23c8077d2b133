//! `format=ecs`: documents of the Elastic Common Schema, one per listed alert.
//!
//! As Elastic's own integration for Defender has it, with its times, MITRE ids and portal links put right: the first
//! item of evidence of a sort fills `file`, `process` and the like; all of them stand in `related`, and whole in
//! `microsoft.defender`.

mod event;
mod evidence;
mod fields;
mod related;
mod vendor;

use self::fields::{Cloud, Dns, Document, Ecs, Host, Microsoft, Observer, Rule, Tenant};
use self::vendor::Defender;
use crate::domain::alert::{Alert, Device};
use crate::domain::enrichment::Enrichment;
use crate::formats::filled::Filled;
use crate::formats::sparse;

/// The release whose fields are used; those after it have them all.
const ECS_VERSION: &str = "8.17.0";

/// The list of documents; for what nothing is known of, an empty one.
pub(super) fn documents(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    let documents: Vec<_> = enrichment.alerts.iter().map(|alert| document(alert, enrichment)).collect();
    sparse::to_vec(&documents, max_bytes)
}

fn document<'a>(alert: &'a Alert, enrichment: &'a Enrichment<'_>) -> Document<'a> {
    let tenant = alert.tenant_id.filled();
    let product = alert.service_source.filled().unwrap_or(enrichment.source.product);
    let times = [alert.updated_at, alert.created_at, alert.last_seen, alert.first_seen];
    Document {
        timestamp: times.into_iter().flatten().next().or(Some(enrichment.source.retrieved_at)),
        message: alert.title.filled(),
        ecs: Ecs { version: ECS_VERSION },
        event: event::of(alert, product),
        rule: Rule {
            id: alert.detector_id.filled(),
            name: alert.title.filled(),
            category: alert.named_categories().next(),
            description: alert.description.filled(),
        },
        threat: event::threat(alert),
        host: alert.device.as_ref().map(host),
        user: evidence::user(alert),
        file: evidence::file(alert),
        process: evidence::process(alert),
        registry: evidence::registry(alert),
        url: evidence::url(alert),
        email: evidence::email(alert),
        source: evidence::source(alert),
        destination: evidence::destination(alert),
        dns: Dns { question: evidence::question(alert) },
        observer: Observer { vendor: "Microsoft", product: Some(product), name: alert.detection_source.filled() },
        organization: Tenant { id: tenant },
        cloud: Cloud { provider: tenant.map(|_| "azure"), account: Tenant { id: tenant } },
        related: related::of(alert),
        microsoft: Microsoft { defender: Defender::of(alert, enrichment) },
    }
}

/// The device that it was raised on; its name in lower case, as the schema advises.
fn host(device: &Device) -> Host<'_> {
    let name = device.name.filled();
    Host { id: device.id.filled(), name: name.map(related::lower_case), hostname: name }
}
