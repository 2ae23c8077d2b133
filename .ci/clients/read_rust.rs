//! Reads the demonstration's answers with the client that openapi-generator (rust) has made of schemas/openapi.json.
//!
//! `read_rust FILE`: a JSON file, `[[name, body], …]`. Nothing is sent: the types are what is tried.

use defender_enrich_client::models::{Answer, Batch, Enrichment, Problem};

fn main() {
    let file = std::env::args().nth(1).expect("a file");
    let bodies: Vec<(String, serde_json::Value)> =
        serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    for (name, body) in bodies {
        let fault = match name.split(' ').next() {
            Some("json") => serde_json::from_value::<Enrichment>(body.clone()).map(|read| {
                assert!(matches!(serde_json::from_value(body.clone()), Ok(Answer::Enrichment(_))), "{name}: of another format");
                assert_eq!(read.alerts.len(), body["alerts"].as_array().map_or(0, Vec::len), "{name}");
            }),
            Some("batch") => serde_json::from_value::<Batch>(body).map(drop),
            Some("problem") => serde_json::from_value::<Problem>(body).map(drop),
            _ => serde_json::from_value::<Answer>(body).map(drop),
        };
        match fault {
            Ok(()) => println!("ok rust {name}"),
            Err(error) => println!("FAILED rust {name}: {error}"),
        }
    }
}
