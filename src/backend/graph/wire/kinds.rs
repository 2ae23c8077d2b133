//! Tests of every evidence type in Microsoft's SDK: the type that it becomes, and the entities that it yields.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::alert;
use crate::domain::entities;
use crate::domain::portal::Portal;
use crate::domain::shared_str::SharedStr;
use crate::domain::warning::Warnings;

/// Returns an evidence item of this type.
fn item_of_type(kind: &str, mut members: Value) -> Value {
    members["@odata.type"] = format!("#microsoft.graph.security.{kind}Evidence").into();
    members
}

fn ip(address: &str) -> Value {
    item_of_type("ip", json!({"ipAddress": address, "countryLetterCode": null}))
}

fn account(name: &str) -> Value {
    json!({"accountName": name, "domainName": "CONTOSO", "userSid": "", "userPrincipalName": format!("{name}@contoso.com")})
}

fn host() -> Value {
    item_of_type(
        "device",
        json!({"deviceDnsName": "srv-7.contoso.com", "mdeDeviceId": "d7", "lastIpAddress": "192.0.2.99",
        "ipInterfaces": ["192.0.2.98"], "loggedOnUsers": [{"accountName": "nobody"}]}),
    )
}

/// Returns, for each type: Microsoft's name, its members, our name, and the entities, each as list and name.
#[expect(clippy::too_many_lines, reason = "a table of 48 types")]
fn table() -> Vec<(&'static str, Value, &'static str, Vec<&'static str>)> {
    let nothing = || json!({"name": "n", "list": [], "empty": ""});
    let details = |sha1: &str| json!({"fileName": "w.exe", "filePath": "C:\\", "sha1": sha1, "sha256": ""});
    vec![
        (
            "activeDirectoryDomain",
            json!({"activeDirectoryDomainName": "contoso.local", "trustedDomains": []}),
            "active_directory_domain",
            vec!["other"],
        ),
        ("aiAgent", json!({"agentId": "a", "instructions": "x"}), "ai_agent", vec!["other"]),
        ("amazonResource", json!({"amazonResourceId": "arn"}), "amazon_resource", vec!["other"]),
        (
            "analyzedMessage",
            json!({"subject": "Invoice", "recipientEmailAddress": "dana@contoso.com", "senderIp": "192.0.2.1", "urls": ["http://evil.example/"],
                "p1Sender": {"emailAddress": "bounce@mail.example"}, "p2Sender": {"emailAddress": "ceo@mail.example", "displayName": "The CEO"}}),
            "mail_message",
            vec!["ips 192.0.2.1", "urls http://evil.example/", "mails ceo@mail.example"],
        ),
        ("azureResource", json!({"resourceId": "r"}), "azure_resource", vec!["other"]),
        (
            "blobContainer",
            json!({"name": "c", "url": "https://s.blob.example/c"}),
            "blob_container",
            vec!["urls https://s.blob.example/c", "other"],
        ),
        (
            "blob",
            json!({"name": "b", "url": "", "fileHashes": [{"algorithm": "md5", "value": "0a"}, {"algorithm": "sha256ac", "value": "0b"}],
                "blobContainer": item_of_type("blobContainer", json!({"url": "https://s.blob.example/c"}))}),
            "blob",
            vec!["files 0a", "urls https://s.blob.example/c", "other"],
        ),
        ("cloudApplication", json!({"appId": 1, "displayName": "App"}), "cloud_application", vec!["other"]),
        ("cloudLogonRequest", json!({"requestId": "r"}), "cloud_logon_request", vec!["other"]),
        (
            "cloudLogonSession",
            json!({"sessionId": "s", "deviceName": "dana-phone", "account": item_of_type("user", json!({"userAccount": account("dana")}))}),
            "cloud_logon_session",
            vec!["devices dana-phone", "users dana", "other"],
        ),
        (
            "container",
            json!({"name": "c", "image": item_of_type("containerImage", json!({"imageId": "i"}))}),
            "container",
            vec!["other"],
        ),
        ("containerImage", json!({"imageId": "i"}), "container_image", vec!["other"]),
        ("containerRegistry", json!({"registry": "r"}), "container_registry", vec!["other"]),
        ("device", host(), "device", vec!["devices srv-7.contoso.com"]),
        (
            "dns",
            json!({"domainName": "evil.example", "ipAddresses": [ip("192.0.2.2"), ip("192.0.2.3")], "hostIpAddress": ip("192.0.2.4"), "dnsServerIp": null}),
            "dns",
            vec!["ips 192.0.2.2", "ips 192.0.2.3", "ips 192.0.2.4", "urls evil.example", "other"],
        ),
        ("file", json!({"fileDetails": details("1a"), "mdeDeviceId": "d"}), "file", vec!["files w.exe"]),
        ("fileHash", json!({"algorithm": "sha256", "value": "2b"}), "file_hash", vec!["files 2b", "other"]),
        ("gitHubOrganization", json!({"login": "contoso"}), "git_hub_organization", vec!["other"]),
        ("gitHubRepo", json!({"repoId": "1", "owner": "contoso"}), "git_hub_repo", vec!["other"]),
        ("gitHubUser", json!({"login": "octo-dana", "userId": "7"}), "git_hub_user", vec!["users octo-dana", "other"]),
        ("googleCloudResource", json!({"projectId": "p"}), "google_cloud_resource", vec!["other"]),
        (
            "hostLogonSession",
            json!({"sessionId": "s", "host": host(), "account": item_of_type("user", json!({"userAccount": account("omar")}))}),
            "host_logon_session",
            vec!["devices srv-7.contoso.com", "users omar", "other"],
        ),
        (
            "ioTDevice",
            json!({"deviceId": "i", "deviceName": "camera-2", "ipAddress": ip("192.0.2.5"), "nics": [item_of_type("nic", json!({"ipAddress": ip("192.0.2.6")}))]}),
            "iot_device",
            vec!["devices camera-2", "ips 192.0.2.5", "ips 192.0.2.6", "other"],
        ),
        ("ip", json!({"ipAddress": "192.0.2.7"}), "ip", vec!["ips 192.0.2.7"]),
        ("kubernetesCluster", nothing(), "kubernetes_cluster", vec!["other"]),
        ("kubernetesController", nothing(), "kubernetes_controller", vec!["other"]),
        ("kubernetesNamespace", nothing(), "kubernetes_namespace", vec!["other"]),
        (
            "kubernetesPod",
            json!({"name": "p", "podIp": ip("192.0.2.8")}),
            "kubernetes_pod",
            vec!["ips 192.0.2.8", "other"],
        ),
        ("kubernetesSecret", nothing(), "kubernetes_secret", vec!["other"]),
        ("kubernetesServiceAccount", nothing(), "kubernetes_service_account", vec!["other"]),
        (
            "kubernetesService",
            json!({"name": "s", "clusterIP": ip("192.0.2.9"), "externalIPs": [ip("192.0.2.10")]}),
            "kubernetes_service",
            vec!["ips 192.0.2.9", "ips 192.0.2.10", "other"],
        ),
        (
            "mailCluster",
            json!({"clusterBy": "Subject;SenderIp", "clusterByValue": "x;192.0.2.11"}),
            "mail_cluster",
            vec!["other"],
        ),
        (
            "mailboxConfiguration",
            json!({"upn": "dana@contoso.com", "mailboxPrimaryAddress": "dana.reyes@contoso.com", "configurationType": "inboxRule"}),
            "mailbox_configuration",
            vec!["users dana@contoso.com", "mailboxes dana.reyes@contoso.com", "other"],
        ),
        (
            "mailbox",
            json!({"primaryAddress": "dana@contoso.com", "upn": "dana@contoso.com", "userAccount": account("dana")}),
            "mailbox",
            vec!["users dana", "mailboxes dana@contoso.com"],
        ),
        (
            "malware",
            json!({"name": "Wintrip", "files": [item_of_type("file", json!({"fileDetails": details("3c")}))],
                "processes": [item_of_type("process", json!({"processId": 7, "processCommandLine": "w.exe -x", "imageFile": details("3d"), "userAccount": account("omar")}))]}),
            "malware",
            vec!["users omar", "files w.exe", "processes w.exe -x", "other"],
        ),
        (
            "networkConnection",
            json!({"protocol": "tcp", "sourceAddress": ip("192.0.2.12"), "destinationAddress": ip("192.0.2.13")}),
            "network_connection",
            vec!["ips 192.0.2.12", "ips 192.0.2.13", "other"],
        ),
        (
            "nic",
            json!({"macAddress": "00:00:5e:00:53:01", "ipAddress": ip("192.0.2.14")}),
            "nic",
            vec!["ips 192.0.2.14", "other"],
        ),
        ("oauthApplication", json!({"appId": "a"}), "oauth_application", vec!["other"]),
        (
            "process",
            json!({"processId": 8, "processCommandLine": "p.exe", "imageFile": details("4d"), "parentProcessImageFile": details("4e"), "userAccount": account("dana")}),
            "process",
            vec!["users dana", "processes p.exe"],
        ),
        ("registryKey", json!({"registryKey": "K"}), "registry", vec!["registry K"]),
        ("registryValue", json!({"registryKey": "L", "registryValueName": "v"}), "registry", vec!["registry L"]),
        (
            "sasToken",
            json!({"allowedIpAddresses": "192.0.2.15-192.0.2.20", "permissions": ["r"]}),
            "sas_token",
            vec!["other"],
        ),
        ("securityGroup", json!({"displayName": "Admins", "sid": "S-1-5-32-544"}), "security_group", vec!["other"]),
        ("servicePrincipal", json!({"appId": "a"}), "service_principal", vec!["other"]),
        (
            "submissionMail",
            json!({"submissionId": "s", "sender": "a@mail.example", "recipient": "dana@contoso.com", "subject": "Win", "senderIp": "192.0.2.16", "submitter": "omar@contoso.com"}),
            "submission_mail",
            vec!["users omar@contoso.com", "ips 192.0.2.16", "mails a@mail.example", "other"],
        ),
        (
            "teamsMessage",
            json!({"messageId": "m", "senderFromAddress": "a@tenant.example", "recipients": ["dana@contoso.com"], "senderIP": "192.0.2.17",
                "urls": [item_of_type("url", json!({"url": "http://evil.example/t"}))], "files": [details("5e")]}),
            "teams_message",
            vec![
                "users a@tenant.example",
                "users dana@contoso.com",
                "files w.exe",
                "ips 192.0.2.17",
                "urls http://evil.example/t",
                "other",
            ],
        ),
        ("url", json!({"url": "http://evil.example/u"}), "url", vec!["urls http://evil.example/u"]),
        ("user", json!({"userAccount": account("dana"), "stream": null}), "user", vec!["users dana"]),
    ]
}

/// Returns a text for each entity: its list and its name.
fn names_of(entities: &Map<String, Value>) -> Vec<String> {
    let called = |list: &str, entity: &Value| {
        let names: &[&str] = match list {
            "devices" | "users" | "files" => &["name", "upn", "sha256", "sha1", "md5"],
            "processes" => &["command_line"],
            "ips" | "mailboxes" => &["address"],
            "urls" => &["url"],
            "registry" => &["key"],
            "mails" => &["sender"],
            _ => return list.to_owned(),
        };
        let name = names.iter().find_map(|name| entity[*name].as_str()).unwrap_or("?");
        format!("{list} {name}")
    };
    let lists = entities.iter().map(|(list, items)| (list, items.as_array().map(Vec::as_slice).unwrap_or_default()));
    lists.flat_map(|(list, items)| items.iter().map(|item| called(list, item)).collect::<Vec<_>>()).collect()
}

#[test]
fn every_evidence_type_yields_its_entities() {
    let table = table();
    let types: HashSet<_> = table.iter().map(|(_, _, ours, _)| *ours).collect();
    assert_eq!((table.len(), types.len()), (48, 47), "only the two registry types become one");
    for (theirs, members, ours, right) in table {
        let body =
            SharedStr::from(json!({"id": "da1_1", "evidence": [item_of_type(theirs, members.clone())]}).to_string());
        let mut warnings = Warnings::default();
        let alert = alert(&body, Portal::Commercial, &mut warnings).expect("an alert");
        assert_eq!(alert.evidence[0].kind, ours);
        let entities = entities::collect([&alert].into_iter()).0;
        let entities = serde_json::to_value(&entities).expect("JSON");
        let names = names_of(entities.as_object().expect("lists"));
        assert_eq!(
            names.iter().collect::<HashSet<_>>(),
            right.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().iter().collect(),
            "{theirs}: {names:?}"
        );
        assert_eq!(names.len(), right.len(), "{theirs}: {names:?}");
        assert!(warnings.into_vec().is_empty(), "{theirs}");
        let item = serde_json::to_string(&alert.evidence[0]).expect("JSON");
        for text in texts(&members) {
            assert!(item.contains(&serde_json::to_string(&text).expect("JSON")), "{theirs}: {text} is lost: {item}");
        }
    }
}

/// Returns all texts in a value that are not empty, except the names of types.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if !text.is_empty() => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => {
            members.iter().filter(|(name, _)| *name != "@odata.type").flat_map(|(_, value)| texts(value)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_member_with_an_unexpected_value_is_kept() {
    let unexpected = [
        json!(7.5),
        json!(true),
        json!({"a": "b-7"}),
        json!(["a", {"b": "c-7"}]),
        json!([[1.5]]),
        json!("Ünusual Wörd!"),
    ];
    let common =
        ["verdict", "remediationStatus", "detectionStatus", "createdDateTime", "roles", "detailedRoles", "tags"];
    for (theirs, members, _, _) in table() {
        let names: Vec<_> = members
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .chain(common)
            .chain(["loggedOnUsers"])
            .filter(|name| *name != "@odata.type")
            .collect();
        for (name, value) in names.iter().flat_map(|name| unexpected.iter().map(move |value| (*name, value))) {
            let mut item = item_of_type(theirs, members.clone());
            item[name] = value.clone();
            let body = SharedStr::from(json!({"id": "da1_1", "evidence": [item]}).to_string());
            let alert = alert(&body, Portal::Commercial, &mut Warnings::default()).expect("an alert");
            let item = serde_json::to_value(&alert.evidence[0]).expect("JSON").to_string();
            for leaf in leaves(value) {
                assert!(item.contains(&leaf), "{theirs}.{name}: {leaf} is lost: {item}");
            }
        }
    }
}

/// Returns the scalars in a value, as JSON without quotes.
fn leaves(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(members) => members.values().flat_map(leaves).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
    }
}

#[test]
fn an_unknown_type_yields_its_entities() {
    let deep = (0..5).fold(json!({"account": {"accountName": "deep"}}), |inner, _| json!({ "in": [inner] }));
    let item = item_of_type(
        "neverMet",
        json!({"glow": deep, "accountName": "flat", "urls": ["http://evil.example/n"], "sha1": "6f"}),
    );
    let body = SharedStr::from(json!({"id": "da1_1", "evidence": [item]}).to_string());
    let alert = alert(&body, Portal::Commercial, &mut Warnings::default()).expect("an alert");
    let entities = entities::collect([&alert].into_iter()).0;
    let entities = serde_json::to_value(&entities).expect("JSON");
    assert_eq!(
        names_of(entities.as_object().expect("lists")),
        ["files 6f", "other", "urls http://evil.example/n", "users flat", "users deep"]
    );
}
