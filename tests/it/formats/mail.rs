//! Sender, recipient and subject of a mail in the formats for people.

use serde_json::json;

use crate::harness::{World, alert_with};

const FOR_PEOPLE: [&str; 4] = ["text", "markdown", "slack", "teams"];

/// An alert and an incident about one mail.
async fn world() -> World {
    let world = World::start().await;
    let mail = json!({
        "entityType": "MailMessage", "sender": "ceo@lookalike.example", "recipient": "omar@contoso.com",
        "subject": "Invoice overdue", "deliveryAction": "Delivered"
    });
    let mailbox = json!({"entityType": "MailBox", "mailboxAddress": "shared.box@contoso.com"});
    world.sandbox.put_alert(alert_with("da7_7", json!({"evidence": [mail, mailbox]}))).unwrap();
    let nested =
        json!({"alertId": "da7_7", "title": "Phish", "severity": "High", "status": "New", "entities": [mail, mailbox]});
    world.sandbox.put_incident(json!({"incidentId": 77, "severity": "High", "alerts": [nested]})).unwrap();
    world
}

#[tokio::test]
async fn formats_for_people_show_sender_recipient_and_subject() {
    let world = world().await;
    for (field, value) in [("alert_id", "da7_7"), ("incident_id", "77")] {
        for format in FOR_PEOPLE {
            let text = world.get(&[(field, value), ("format", format)]).await.text().replace(['\\', '[', ']'], "");
            for expected in ["ceo@lookalike.example", "omar@contoso.com", "Invoice overdue", "shared.box@contoso.com"] {
                assert!(text.contains(expected), "{format} of {field}: no {expected}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn placeholder_determinations_are_omitted() {
    let world = World::start().await;
    for word in ["NotAvailable", "NotSet", "Unknown", ""] {
        let id = format!("da8_{}", word.len());
        let changes = json!({"classification": "TruePositive", "determination": word});
        world.sandbox.put_alert(alert_with(&id, changes)).unwrap();
        let answer = world.get(&[("alert_id", &id)]).await.answer();
        assert_eq!(answer["alerts"][0]["determination"], json!(null), "{word}");
        for format in FOR_PEOPLE {
            let text = world.get(&[("alert_id", &id), ("format", format)]).await.text();
            assert!(!text.contains("True positive:"), "{format}: {text}");
        }
    }
}
