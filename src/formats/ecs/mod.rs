//! `format=ecs`: documents of the Elastic Common Schema, one per listed alert.
//!
//! The fields are those of Elastic's own integration for Defender, with correct times, MITRE ids and portal links. The first
//! evidence of each type fills `file`, `process` and so on. The values of all evidence are in `related`, and complete in
//! `microsoft.defender`.
//!
//! Sources: <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>.

mod context;
mod event;
mod evidence;
mod related;
mod vendor;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use self::context::Context;
use self::vendor::Defender;
use crate::domain::alert::Alert;
use crate::domain::enrichment::Enrichment;
use crate::formats::filled::Filled;
use crate::formats::format::{BodyKind, BodySchemas, FormatSpec, Renderer};
use crate::formats::sparse::{self, Keep};

pub(super) const SPEC: FormatSpec = FormatSpec {
    name: "ecs",
    media_type: "application/json",
    accept_rank: None,
    body: BodyKind::JsonArray,
    has_raw: false,
    event_type: Some("ecs"),
    renderer: Renderer::Fitted(documents),
    batch_renderer: None,
    schemas: BodySchemas { roots: &["EcsDocuments"], definitions: schemas },
    notice: |text| json!([{"message": text}]).to_string().into_bytes(),
};

/// The release whose fields are used. Later releases have all of them.
const ECS_VERSION: &str = "8.17.0";

/// Renders the list of documents, which is empty if nothing was found.
fn documents(enrichment: &Enrichment<'_>, max_bytes: usize) -> Vec<u8> {
    sparse::to_vec(&Documents(enrichment), Keep::All, max_bytes)
}

/// The documents of an answer. Only one at a time is in memory.
struct Documents<'a>(&'a Enrichment<'a>);

impl Serialize for Documents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.alerts.iter().map(|alert| document(alert, self.0)))
    }
}

/// A document: the fields of the schema, and the vendor's.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    fields: Value,
    microsoft: Microsoft<'a>,
}

#[derive(Serialize)]
struct Microsoft<'a> {
    defender: Defender<'a>,
}

fn document<'a>(alert: &'a Alert, enrichment: &'a Enrichment<'_>) -> Document<'a> {
    let context = Context::of(alert, enrichment.context);
    let tenant = alert.tenant_id.filled();
    let product = alert.service_source.filled().unwrap_or(enrichment.source.product);
    let times = [alert.updated_at, alert.created_at, alert.last_seen, alert.first_seen];
    let fields = json!({
        "@timestamp": times.into_iter().flatten().next().unwrap_or(enrichment.source.retrieved_at),
        "message": alert.title,
        "ecs": {"version": ECS_VERSION},
        "event": event::of(alert, product),
        "rule": {
            "id": alert.detector_id,
            "name": alert.title,
            "category": alert.named_categories().next(),
            "description": alert.description,
        },
        "threat": event::threat(alert),
        "host": alert.device.as_ref().map(|device| context::host(device, context.host)),
        "user": evidence::user(alert),
        "file": evidence::file(alert, context.file),
        "process": evidence::process(alert, context.process),
        "registry": evidence::registry(alert),
        "url": evidence::url(alert),
        "email": evidence::email(alert),
        "source": {"ip": evidence::source(alert)},
        "destination": {"ip": evidence::destination(alert)},
        "dns": {"question": {"name": evidence::domain(alert)}},
        "observer": {"vendor": "Microsoft", "product": product, "name": alert.detection_source},
        "organization": {"id": tenant},
        "cloud": {"provider": tenant.map(|_| "azure"), "account": {"id": tenant}},
        "related": related::of(alert, context),
    });
    Document { fields, microsoft: Microsoft { defender: Defender::of(alert, enrichment, context) } }
}

fn schemas() -> Vec<(&'static str, Value)> {
    let documents = json!({
        "type": "array",
        "description": "format=ecs: one document of the Elastic Common Schema 8.17.0 for each listed alert.",
        "items": {"$ref": "#/components/schemas/EcsDocument"}
    });
    let document = json!({
        "type": "object",
        "description": "A document of the Elastic Common Schema 8.17.0. In full: https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html. What has no field there is in microsoft.defender; its members named extra are best mapped as flattened.",
        "required": ["@timestamp", "ecs", "event", "microsoft"],
        "properties": {
            "@timestamp": {"type": "string", "format": "date-time"},
            "ecs": {
                "type": "object",
                "description": "The schema.",
                "required": ["version"],
                "properties": {"version": {"type": "string", "enum": [ECS_VERSION]}},
                "additionalProperties": true
            },
            "event": {
                "type": "object",
                "description": "What it is.",
                "required": ["kind", "category", "type"],
                "properties": {
                    "kind": {"type": "string", "enum": ["alert"]},
                    "category": {"type": "array", "items": {"type": "string"}},
                    "type": {"type": "array", "items": {"type": "string"}}
                },
                "additionalProperties": true
            },
            "microsoft": {
                "type": "object",
                "description": "What has no field there.",
                "required": ["defender"],
                "properties": {
                    "defender": {"type": "object", "description": "Members of the answer.", "additionalProperties": true}
                },
                "additionalProperties": true
            }
        },
        "additionalProperties": true
    });
    vec![("EcsDocuments", documents), ("EcsDocument", document)]
}
