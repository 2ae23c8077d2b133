//! DynamoDB.

use serde_json::{Value, json};

use super::client::{Response, ask};
use super::credentials::signed_for;
use crate::{Fault, Route, STATE_TABLE, Sandbox, Service, Times};

async fn table(sandbox: &Sandbox, operation: &str, mut request: Value) -> Response {
    if request["TableName"].is_null() {
        request["TableName"] = json!(STATE_TABLE);
    }
    let target = format!("X-Amz-Target: DynamoDB_20120810.{operation}");
    let headers = ["Content-Type: application/x-amz-json-1.0", &target, &signed_for("dynamodb")];
    ask(sandbox.origin(Service::DynamoDb), "POST", "/", &headers, &request.to_string()).await.unwrap()
}

/// A write of a version, if another one is there.
fn swap(seen: u32, next: u32) -> Value {
    json!({
        "Key": {"pk": {"S": "a"}},
        "UpdateExpression": "SET #d = :d, v = :v",
        "ConditionExpression": "v = :seen",
        "ExpressionAttributeNames": {"#d": "data"},
        "ExpressionAttributeValues": {":d": {"B": "AAEC"}, ":v": {"N": next.to_string()}, ":seen": {"N": seen.to_string()}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    })
}

fn create(expires_at: u32, now: u32) -> Value {
    json!({
        "Item": {"pk": {"S": "a"}, "v": {"N": "1"}, "expires_at": {"N": expires_at.to_string()}},
        "ConditionExpression": "attribute_not_exists(pk) OR expires_at < :now",
        "ExpressionAttributeValues": {":now": {"N": now.to_string()}},
    })
}

fn key() -> Value {
    json!({"Key": {"pk": {"S": "a"}}, "ConsistentRead": true})
}

#[tokio::test]
async fn a_write_happens_only_if_its_condition_holds() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(table(&sandbox, "GetItem", key()).await.json(), json!({}));
    let refused = table(&sandbox, "UpdateItem", swap(1, 2)).await;
    assert_eq!((refused.status, &refused.json()["Item"]), (400, &Value::Null));
    for (now, status) in [(99, 200), (100, 400), (101, 200)] {
        assert_eq!(table(&sandbox, "PutItem", create(100, now)).await.status, status, "at {now}");
    }
    let by_arn = {
        let mut request = swap(1, 2);
        request["TableName"] = json!(format!("arn:aws:dynamodb:eu-central-1:000000000000:table/{STATE_TABLE}"));
        request
    };
    assert_eq!(table(&sandbox, "UpdateItem", by_arn).await.json(), json!({}));
    let written = json!({"pk": {"S": "a"}, "data": {"B": "AAEC"}, "v": {"N": "2"}, "expires_at": {"N": "100"}});
    let refused = table(&sandbox, "UpdateItem", swap(1, 2)).await;
    assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/x-amz-json-1.0")));
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    assert_eq!((&refused.json()["__type"], &refused.json()["Item"]), (&json!(kind), &written));
    assert_eq!(table(&sandbox, "GetItem", key()).await.json(), json!({"Item": written}));
    assert_eq!(sandbox.items(), [written]);
}

#[tokio::test]
async fn a_write_that_is_told_to_fail_writes_nothing_and_a_late_one_does() {
    let sandbox = Sandbox::start().await.unwrap();
    for (fault, status, code, items) in [
        (Fault::status(400), 400, "ProvisionedThroughputExceededException", 0),
        (Fault::status(500).only_for("PutItem"), 500, "InternalServerError", 0),
        (Fault::body("{}"), 200, "", 1),
    ] {
        sandbox.fail(Route::Table, Times::Once, fault);
        let answer = table(&sandbox, "PutItem", create(100, 99)).await;
        let kind = answer.json()["__type"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.status, kind.rsplit('#').next()), (status, Some(code)));
        assert_eq!(sandbox.items().len(), items);
    }
    sandbox.put_item(json!({"pk": {"S": "a"}, "v": {"S": "nonsense"}})).unwrap();
    assert_eq!(table(&sandbox, "UpdateItem", swap(1, 2)).await.json()["Item"]["v"], json!({"S": "nonsense"}));
    sandbox.set_table(false);
    let gone = table(&sandbox, "GetItem", key()).await;
    assert_eq!((gone.status, gone.text().contains("#ResourceNotFoundException")), (400, true));
    sandbox.set_table(true);
    assert_eq!(table(&sandbox, "PutItem", create(100, 99)).await.status, 200);
}

#[tokio::test]
async fn what_the_table_does_not_understand_is_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    for (member, value) in [
        ("UpdateExpression", json!("REMOVE v")),
        ("UpdateExpression", json!("SET #d = :d, v = v + :v")),
        ("UpdateExpression", json!("SET pk = :d, v = :v")),
        ("UpdateExpression", Value::Null),
        ("ConditionExpression", json!("v <> :seen")),
        ("ConditionExpression", json!("size(v) = :seen")),
        ("ConditionExpression", json!("v = :other")),
        ("ConditionExpression", Value::Null),
        ("ExpressionAttributeNames", json!({"#d": "data", "#unused": "v"})),
        ("Key", json!({"id": {"S": "a"}})),
        ("Key", json!({"pk": {"S": ""}})),
    ] {
        let mut request = swap(1, 2);
        request[member] = value.clone();
        let answer = table(&sandbox, "UpdateItem", request).await;
        assert!(answer.text().contains("#ValidationException"), "{member} {value}: {}", answer.text());
    }
    let unknown = table(&sandbox, "Scan", key()).await;
    assert!(unknown.text().contains("#UnknownOperationException"), "{}", unknown.text());
    let body = create(100, 99).to_string();
    let target = "X-Amz-Target: DynamoDB_20120810.PutItem";
    let unsigned = ask(sandbox.origin(Service::DynamoDb), "POST", "/", &[target], &body).await.unwrap();
    assert!(unsigned.text().contains("#MissingAuthenticationTokenException"), "{}", unsigned.text());
    assert!(sandbox.items().is_empty());
}
