//! Merged incidents: followed to where they were merged into, and no further than makes sense.

use defender_sandbox::{Route, Sandbox};
use serde_json::{Value, json};

use crate::client::{steps, timeless, warnings};
use crate::harness::{INCIDENT, MERGED_INCIDENT, World};

/// Incidents of which each was merged into the next; the last into `end`.
fn chain(sandbox: &Sandbox, ids: &[u64], end: Option<u64>) {
    let targets = ids.iter().skip(1).copied().map(Some).chain([end]);
    for (id, target) in ids.iter().zip(targets) {
        let status = if target.is_some() { "Redirected" } else { "Active" };
        sandbox.put_incident(json!({"incidentId": id, "redirectIncidentId": target, "status": status, "incidentName": format!("No {id}"), "alerts": []})).unwrap();
    }
}

fn asked(world: &World) -> Vec<String> {
    world.seen(Route::Incident).into_iter().map(|seen| seen.key).collect()
}

#[tokio::test]
async fn a_chain_of_merges_leads_to_its_end() {
    let world = World::start().await;
    let answer = world.incident(MERGED_INCIDENT).await.answer();
    assert_eq!((&answer["input"], &answer["id"]), (&json!(MERGED_INCIDENT), &json!(INCIDENT)));
    assert_eq!(
        answer["resolution"],
        json!([
            {"step": "incident_redirect", "from": "3098", "to": "3102"}, {"step": "incident_redirect", "from": "3102", "to": "3107"}
        ])
    );
    assert_eq!(answer["incident"]["redirected_from"], json!(["3098", "3102"]));
    assert_eq!(
        answer["url"].as_str().unwrap().split('?').next(),
        Some("https://security.microsoft.com/incidents/3107")
    );
    assert_eq!(asked(&world), ["3098", "3102", "3107"]);
    let mut direct = timeless(world.incident(INCIDENT).await.answer());
    let mut followed = timeless(answer);
    for member in ["input", "resolution"] {
        direct[member] = Value::Null;
        followed[member] = Value::Null;
    }
    followed["incident"]["redirected_from"] = json!([]);
    assert_eq!(followed, direct);
}

#[tokio::test]
async fn a_target_that_is_told_is_followed_whatever_the_status_says() {
    let world = World::start().await;
    world
        .sandbox
        .put_incident(json!({"incidentId": 5, "redirectIncidentId": "3107", "status": "Active", "alerts": []}))
        .unwrap();
    let answer = world.incident("5").await.answer();
    assert_eq!((&answer["id"], steps(&answer)), (&json!(INCIDENT), vec!["incident_redirect"]));
}

#[tokio::test]
async fn a_loop_ends_with_the_last_incident_and_a_warning() {
    for ids in [vec![11], vec![11, 12], vec![11, 12, 13]] {
        let world = World::start().await;
        chain(&world.sandbox, &ids, Some(11));
        let answer = world.incident("11").await.answer();
        assert_eq!((&answer["status"], warnings(&answer)), (&json!("redirected"), vec!["redirect_not_followed"]));
        assert_eq!((&answer["id"], steps(&answer).len()), (&json!(ids.last().unwrap().to_string()), ids.len() - 1));
        assert_eq!(asked(&world).len(), ids.len(), "each is asked for once");
    }
}

#[tokio::test]
async fn eight_merges_are_followed_and_a_ninth_is_not() {
    let world = World::start().await;
    chain(&world.sandbox, &(20..=28).collect::<Vec<_>>(), None);
    let answer = world.incident("20").await.answer();
    assert_eq!((&answer["id"], steps(&answer).len(), warnings(&answer)), (&json!("28"), 8, vec![]));
    let world = World::start().await;
    chain(&world.sandbox, &(20..=40).collect::<Vec<_>>(), None);
    let answer = world.incident("20").await.answer();
    assert_eq!(
        (&answer["id"], &answer["status"], warnings(&answer)),
        (&json!("28"), &json!("redirected"), vec!["redirect_not_followed"])
    );
    assert_eq!(asked(&world).len(), 9);
}

#[tokio::test]
async fn a_target_that_does_not_exist_leaves_the_merged_incident() {
    let world = World::start().await;
    chain(&world.sandbox, &[50, 51], Some(404));
    let answer = world.incident("50").await.answer();
    assert_eq!(
        (&answer["id"], &answer["status"], warnings(&answer)),
        (&json!("51"), &json!("redirected"), vec!["redirect_not_followed"])
    );
    assert_eq!(answer["incident"]["redirected_from"], json!(["50"]));
    assert_eq!(
        (&answer["found"], asked(&world)),
        (&json!(true), vec!["50".to_owned(), "51".to_owned(), "404".to_owned()])
    );
}

#[tokio::test]
async fn a_merged_incident_that_names_no_target_says_so() {
    for target in [json!(null), json!(0), json!("soon"), json!(-1)] {
        let world = World::start().await;
        world
            .sandbox
            .put_incident(json!({"incidentId": 60, "redirectIncidentId": target, "status": "Redirected", "alerts": []}))
            .unwrap();
        let answer = world.incident("60").await.answer();
        assert!(warnings(&answer).contains(&"redirect_not_followed"), "{target}: {answer}");
        assert_eq!(asked(&world), ["60"]);
    }
}
