//! The field sets of the Elastic Common Schema that an alert fills, in its types: `ip` holds addresses, `date` moments,
//! `long` numbers.
//!
//! Source: <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>.

use std::borrow::Cow;
use std::net::IpAddr;

use super::sparse::{Sparse, field_sets};
use super::vendor::Defender;
use crate::domain::time::Moment;

/// A keyword that is made here.
pub(super) type Made<'a> = Option<Cow<'a, str>>;

field_sets! {
    /// One document.
    Document<'a> {
        #[serde(rename = "@timestamp")]
        timestamp: Option<Moment>,
        message: Option<&'a str>,
        ecs: Ecs,
        event: Event<'a>,
        rule: Rule<'a>,
        threat: Threat<'a>,
        host: Host<'a>,
        user: User<'a>,
        file: File<'a>,
        process: Process<'a>,
        registry: Registry<'a>,
        url: Url<'a>,
        email: Email<'a>,
        source: Address,
        destination: Address,
        dns: Dns<'a>,
        observer: Observer<'a>,
        organization: Organization<'a>,
        cloud: Cloud<'a>,
        related: Related<'a>,
        microsoft: Microsoft<'a>,
    }

    /// The schema.
    Ecs {
        version: &'static str,
    }

    /// The alert as an event.
    Event<'a> {
        kind: &'static str,
        category: Vec<&'static str>,
        #[serde(rename = "type")]
        types: Vec<&'static str>,
        id: Option<&'a str>,
        action: Option<&'a str>,
        provider: Option<&'a str>,
        severity: Option<u8>,
        created: Option<Moment>,
        start: Option<Moment>,
        end: Option<Moment>,
        duration: Option<i64>,
        url: Option<&'a str>,
    }

    /// What detected it.
    Rule<'a> {
        id: Option<&'a str>,
        name: Option<&'a str>,
        category: Option<&'a str>,
        description: Option<&'a str>,
    }

    /// What it is in MITRE ATT&CK.
    Threat<'a> {
        framework: Option<&'static str>,
        tactic: Tactic,
        technique: Technique<'a>,
    }

    /// Tactics.
    Tactic {
        id: Vec<&'static str>,
        name: Vec<&'static str>,
        reference: Vec<String>,
    }

    /// Techniques.
    Technique<'a> {
        id: Vec<&'a str>,
        reference: Vec<String>,
        subtechnique: Subtechnique<'a>,
    }

    /// Their parts.
    Subtechnique<'a> {
        id: Vec<&'a str>,
        reference: Vec<String>,
    }

    /// A device.
    Host<'a> {
        id: Option<&'a str>,
        name: Made<'a>,
        hostname: Option<&'a str>,
    }

    /// An account.
    User<'a> {
        id: Option<&'a str>,
        name: Option<&'a str>,
        domain: Option<&'a str>,
        email: Option<&'a str>,
    }

    /// Digests of a file's content.
    Hash<'a> {
        md5: Option<&'a str>,
        sha1: Option<&'a str>,
        sha256: Option<&'a str>,
    }

    /// A file.
    File<'a> {
        name: Option<&'a str>,
        directory: Option<&'a str>,
        path: Made<'a>,
        hash: Hash<'a>,
    }

    /// A process.
    Process<'a> {
        pid: Option<i64>,
        name: Option<&'a str>,
        executable: Made<'a>,
        command_line: Option<&'a str>,
        start: Option<Moment>,
        hash: Hash<'a>,
        parent: Parent<'a>,
        user: ProcessUser<'a>,
    }

    /// The account that a process runs under.
    ProcessUser<'a> {
        id: Option<&'a str>,
        name: Option<&'a str>,
    }

    /// The process that started it.
    Parent<'a> {
        pid: Option<i64>,
        name: Option<&'a str>,
        executable: Made<'a>,
        start: Option<Moment>,
    }

    /// A registry key or value.
    Registry<'a> {
        hive: Option<&'a str>,
        key: Option<&'a str>,
        path: Option<String>,
        value: Option<&'a str>,
        data: RegistryData<'a>,
    }

    /// What a registry value holds.
    RegistryData<'a> {
        strings: Vec<&'a str>,
        #[serde(rename = "type")]
        kind: Option<&'static str>,
    }

    /// A web address.
    Url<'a> {
        original: Option<&'a str>,
        full: Option<&'a str>,
        scheme: Option<String>,
        domain: Option<String>,
        port: Option<u16>,
        path: Option<String>,
        query: Option<String>,
        fragment: Option<String>,
    }

    /// A mail.
    Email<'a> {
        from: Addresses<'a>,
        sender: OneAddress<'a>,
        to: Addresses<'a>,
        subject: Option<&'a str>,
        message_id: Option<&'a str>,
        local_id: Option<&'a str>,
        delivery_timestamp: Option<Moment>,
    }

    /// A mail address.
    OneAddress<'a> {
        address: Option<&'a str>,
    }

    /// Mail addresses.
    Addresses<'a> {
        address: Vec<&'a str>,
    }

    /// One end of a connection.
    Address {
        ip: Option<IpAddr>,
    }

    /// A name that was asked for.
    Dns<'a> {
        question: Question<'a>,
    }

    /// That name.
    Question<'a> {
        name: Option<&'a str>,
    }

    /// What observed it.
    Observer<'a> {
        vendor: &'static str,
        product: Option<&'a str>,
        name: Option<&'a str>,
    }

    /// The tenant as an organization.
    Organization<'a> {
        id: Option<&'a str>,
    }

    /// The tenant as an account in the cloud.
    Cloud<'a> {
        provider: Option<&'static str>,
        account: Account<'a>,
    }

    /// That account.
    Account<'a> {
        id: Option<&'a str>,
    }

    /// Everything to pivot on, each once.
    Related<'a> {
        hosts: Vec<Cow<'a, str>>,
        user: Vec<&'a str>,
        ip: Vec<IpAddr>,
        hash: Vec<&'a str>,
    }

    /// The vendor's name space.
    Microsoft<'a> {
        defender: Defender<'a>,
    }
}
