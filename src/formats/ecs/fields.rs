//! The field sets of the Elastic Common Schema that an alert fills, in its types: `ip` holds addresses, `date` moments,
//! `long` numbers.
//!
//! Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::vendor::Defender;
use crate::domain::timestamp::Timestamp;

/// A keyword that is made here.
pub(super) type Made<'a> = Option<Cow<'a, str>>;

/// One document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: Option<Timestamp>,
    pub(super) message: Option<&'a str>,
    pub(super) ecs: Ecs,
    pub(super) event: Event<'a>,
    pub(super) rule: Rule<'a>,
    pub(super) threat: Threat<'a>,
    pub(super) host: Option<Host<'a>>,
    pub(super) user: Option<User<'a>>,
    pub(super) file: Option<File<'a>>,
    pub(super) process: Option<Process<'a>>,
    pub(super) registry: Option<Registry<'a>>,
    pub(super) url: Option<Url<'a>>,
    pub(super) email: Option<Email<'a>>,
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) dns: Dns<'a>,
    pub(super) observer: Observer<'a>,
    pub(super) organization: Tenant<'a>,
    pub(super) cloud: Cloud<'a>,
    pub(super) related: Related<'a>,
    pub(super) microsoft: Microsoft<'a>,
}

/// The schema.
#[derive(Serialize)]
pub(super) struct Ecs {
    pub(super) version: &'static str,
}

/// The alert as an event.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) kind: &'static str,
    pub(super) category: Vec<&'static str>,
    #[serde(rename = "type")]
    pub(super) types: Vec<&'static str>,
    pub(super) id: Option<&'a str>,
    pub(super) action: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
    pub(super) severity: Option<u8>,
    pub(super) created: Option<Timestamp>,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) duration: Option<i64>,
    pub(super) url: Option<&'a str>,
}

/// What detected it.
#[derive(Serialize)]
pub(super) struct Rule<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) category: Option<&'a str>,
    pub(super) description: Option<&'a str>,
}

/// What it is in MITRE ATT&CK.
#[derive(Serialize)]
pub(super) struct Threat<'a> {
    pub(super) framework: Option<&'static str>,
    pub(super) tactic: Tactic,
    pub(super) technique: Technique<'a>,
}

/// Tactics.
#[derive(Serialize)]
pub(super) struct Tactic {
    pub(super) id: Vec<&'static str>,
    pub(super) name: Vec<&'static str>,
    pub(super) reference: Vec<String>,
}

/// Techniques.
#[derive(Serialize)]
pub(super) struct Technique<'a> {
    pub(super) id: Vec<&'a str>,
    pub(super) reference: Vec<String>,
    pub(super) subtechnique: Subtechnique<'a>,
}

/// Their parts.
#[derive(Serialize)]
pub(super) struct Subtechnique<'a> {
    pub(super) id: Vec<&'a str>,
    pub(super) reference: Vec<String>,
}

/// A device.
#[derive(Serialize)]
pub(super) struct Host<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) name: Made<'a>,
    pub(super) hostname: Option<&'a str>,
}

/// An account.
#[derive(Default, Serialize)]
pub(super) struct User<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) domain: Option<&'a str>,
    pub(super) email: Option<&'a str>,
}

/// Digests of a file's content.
#[derive(Serialize)]
pub(super) struct Hash<'a> {
    pub(super) md5: Option<&'a str>,
    pub(super) sha1: Option<&'a str>,
    pub(super) sha256: Option<&'a str>,
}

/// A file.
#[derive(Serialize)]
pub(super) struct File<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) directory: Option<&'a str>,
    pub(super) path: Made<'a>,
    pub(super) hash: Hash<'a>,
}

/// A process.
#[derive(Serialize)]
pub(super) struct Process<'a> {
    pub(super) pid: Option<i64>,
    pub(super) name: Option<&'a str>,
    pub(super) executable: Made<'a>,
    pub(super) command_line: Option<&'a str>,
    pub(super) start: Option<Timestamp>,
    pub(super) hash: Hash<'a>,
    pub(super) parent: Parent<'a>,
    pub(super) user: Option<ProcessUser<'a>>,
}

/// The account that a process runs under.
#[derive(Serialize)]
pub(super) struct ProcessUser<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

/// The process that started it.
#[derive(Serialize)]
pub(super) struct Parent<'a> {
    pub(super) pid: Option<i64>,
    pub(super) name: Option<&'a str>,
    pub(super) executable: Made<'a>,
    pub(super) start: Option<Timestamp>,
}

/// A registry key or value.
#[derive(Serialize)]
pub(super) struct Registry<'a> {
    pub(super) hive: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) path: Option<String>,
    pub(super) value: Option<&'a str>,
    pub(super) data: RegistryData<'a>,
}

/// What a registry value holds.
#[derive(Serialize)]
pub(super) struct RegistryData<'a> {
    pub(super) strings: Vec<&'a str>,
    #[serde(rename = "type")]
    pub(super) kind: Option<&'static str>,
}

/// A web address.
#[derive(Default, Serialize)]
pub(super) struct Url<'a> {
    pub(super) original: Option<&'a str>,
    pub(super) full: Option<&'a str>,
    pub(super) scheme: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) path: Option<String>,
    pub(super) query: Option<String>,
    pub(super) fragment: Option<String>,
}

/// A mail.
#[derive(Serialize)]
pub(super) struct Email<'a> {
    pub(super) from: Addresses<'a>,
    pub(super) sender: OneAddress<'a>,
    pub(super) to: Addresses<'a>,
    pub(super) subject: Option<&'a str>,
    pub(super) message_id: Option<&'a str>,
    pub(super) local_id: Option<&'a str>,
    pub(super) delivery_timestamp: Option<Timestamp>,
}

/// A mail address.
#[derive(Serialize)]
pub(super) struct OneAddress<'a> {
    pub(super) address: Option<&'a str>,
}

/// Mail addresses.
#[derive(Serialize)]
pub(super) struct Addresses<'a> {
    pub(super) address: Vec<&'a str>,
}

/// One end of a connection.
#[derive(Serialize)]
pub(super) struct Address {
    pub(super) ip: Option<IpAddr>,
}

/// A name that was asked for.
#[derive(Serialize)]
pub(super) struct Dns<'a> {
    pub(super) question: Question<'a>,
}

/// That name.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    pub(super) name: Option<&'a str>,
}

/// What observed it.
#[derive(Serialize)]
pub(super) struct Observer<'a> {
    pub(super) vendor: &'static str,
    pub(super) product: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

/// The tenant.
#[derive(Serialize)]
pub(super) struct Tenant<'a> {
    pub(super) id: Option<&'a str>,
}

/// The tenant in the cloud.
#[derive(Serialize)]
pub(super) struct Cloud<'a> {
    pub(super) provider: Option<&'static str>,
    pub(super) account: Tenant<'a>,
}

/// Everything to pivot on, each once.
#[derive(Serialize)]
pub(super) struct Related<'a> {
    pub(super) hosts: Vec<Cow<'a, str>>,
    pub(super) user: Vec<&'a str>,
    pub(super) ip: Vec<IpAddr>,
    pub(super) hash: Vec<&'a str>,
}

/// The vendor's name space.
#[derive(Serialize)]
pub(super) struct Microsoft<'a> {
    pub(super) defender: Defender<'a>,
}
