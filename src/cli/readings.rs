//! Tests of values with several possible kinds, through both backends: which kind is found, in which order they are
//! looked up, and how failures are reported.

use std::time::Duration;

use crate::app::Service;
use crate::config::Settings;
use crate::domain::enrichment::Answer;
use crate::domain::resolution::{Step, StepName};
use crate::domain::subject::{Kind, Question, Subject};
use crate::domain::warning::WarningCode;
use crate::lookup::{Context, Deadline, EnrichError};
use defender_sandbox::company::model::{Alert, Device};
use defender_sandbox::company::showcase::{MACHINE, USER};
use defender_sandbox::{Fault, Route, Sandbox, Times};

const BACKENDS: [&str; 2] = ["defender", "graph"];

/// A value that may be of each of these kinds.
fn value(text: &str, kinds: &[Kind]) -> Question {
    let subject = |kind: &Kind| Question::parse(*kind, text).expect("a subject").subject;
    let mut subjects: Vec<Subject> = kinds.iter().map(subject).collect();
    let first = subjects.remove(0);
    let steps = vec![Step::new(StepName::DetectedKind, text, first.kind().as_str())];
    Question { subject: first, further: subjects, input: text.to_owned(), steps }
}

async fn ask(sandbox: &Sandbox, backend: &str, question: &Question) -> Result<Answer, EnrichError> {
    let environment = sandbox.settings();
    let settings = Settings::from_lookup(|name| {
        let own = environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        (name == "DEFENDER_BACKEND").then(|| backend.to_owned()).or(own)
    });
    let service = Service::from_environment(&settings.expect("settings")).expect("a service");
    let ctx = Context::new(Deadline::after(Duration::from_secs(10)), "readings", None);
    service.enricher.enrich(question, &ctx).await
}

async fn sandbox() -> Sandbox {
    Sandbox::start().await.expect("a sandbox")
}

fn warning_detail(answer: &Answer, code: WarningCode) -> Option<&str> {
    answer.warnings.iter().find(|warning| warning.code == code).map(|warning| warning.detail.as_str())
}

fn detected(answer: &Answer) -> Vec<&str> {
    let steps = answer.resolution.iter().filter(|step| step.step == StepName::DetectedKind);
    steps.map(|step| step.to.as_str()).collect()
}

fn calls(sandbox: &Sandbox, route: Route) -> usize {
    sandbox.seen().iter().filter(|seen| seen.route == Some(route)).count()
}

const NAME_KINDS: &[Kind] = &[Kind::Machine, Kind::User, Kind::Domain];

#[tokio::test]
async fn first_reading_with_findings_is_the_answer_and_the_last_lookup() {
    let sandbox = sandbox().await;
    let (account, _) = USER.split_once('@').expect("a user principal name");
    for backend in BACKENDS {
        let answer = ask(&sandbox, backend, &value(MACHINE, NAME_KINDS)).await.expect("an answer");
        assert_eq!((answer.kind, detected(&answer)), (Kind::Machine, vec!["machine"]), "{backend}");
        assert_eq!(calls(&sandbox, Route::UserAlerts), 0);
        let answer = ask(&sandbox, backend, &value(account, &[Kind::Machine, Kind::User])).await.expect("an answer");
        assert_eq!((answer.kind, detected(&answer)), (Kind::User, vec!["user"]), "{backend}");
        assert!(answer.findings.found() && warning_detail(&answer, WarningCode::TriedAs).is_none(), "{backend}");
        sandbox.forget();
    }
}

#[tokio::test]
async fn forty_hex_digits_are_read_as_file_or_device() {
    let sandbox = sandbox().await;
    let id = sandbox.company(|company| company.devices.first().expect("a device").id.clone());
    for backend in BACKENDS {
        let answer = ask(&sandbox, backend, &value(&id, &[Kind::File, Kind::Machine])).await.expect("an answer");
        assert_eq!((answer.kind, detected(&answer)), (Kind::Machine, vec!["machine"]), "{backend}");
        assert_eq!(answer.id, id);
    }
}

#[tokio::test]
async fn device_with_only_the_first_label_is_looked_up_last() {
    let sandbox = sandbox().await;
    sandbox.company(|company| {
        let device = company.devices.first().expect("a device").clone();
        company.devices.push(Device { id: KIOSK.to_owned(), name: "kiosk9".to_owned(), ..device });
        let alert = company.alerts.first().expect("an alert").clone();
        company.alerts.push(Alert {
            id: "da639305048212300009_9".to_owned(),
            devices: vec![KIOSK.to_owned()],
            ..alert
        });
    });
    for backend in BACKENDS {
        sandbox.forget();
        let answer = ask(&sandbox, backend, &value("kiosk9.contoso.com", NAME_KINDS)).await.expect("an answer");
        assert_eq!((answer.kind, answer.id.as_str()), (Kind::Machine, KIOSK), "{backend}");
        assert_eq!(answer.findings.alerts.len(), 1, "{backend}");
        assert!(warning_detail(&answer, WarningCode::MatchedShortName).is_some_and(|detail| detail.contains("kiosk9")));
        let count = |routes: &[Route]| routes.iter().map(|route| calls(&sandbox, *route)).collect::<Vec<_>>();
        if backend == "defender" {
            let routes = [Route::Machines, Route::UserAlerts, Route::DomainAlerts, Route::MachineAlerts];
            assert_eq!(count(&routes), [1, 1, 1, 1], "the list of devices is asked for once");
        } else {
            assert_eq!(count(&[Route::Hunting]), [3], "one query answers both readings as a device");
        }
    }
}

const KIOSK: &str = "00000000000000000000000000000000000000c9";

#[tokio::test]
async fn empty_answer_names_all_kinds_that_were_looked_up() {
    let sandbox = sandbox().await;
    for backend in BACKENDS {
        let answer = ask(&sandbox, backend, &value("nobody.contoso.com", NAME_KINDS)).await.expect("an answer");
        assert_eq!((answer.kind, answer.findings.found()), (Kind::Machine, false), "{backend}");
        assert_eq!(
            warning_detail(&answer, WarningCode::TriedAs),
            Some("Nothing was found: this was asked as machine, as user and as domain.")
        );
        assert_eq!(detected(&answer), ["machine"]);
        let answer = ask(&sandbox, backend, &value("Petra Gundersen", &[Kind::Machine, Kind::User])).await;
        let answer = answer.expect("an answer");
        let detail = warning_detail(&answer, WarningCode::TriedAs).expect("a warning");
        assert!(detail.contains("machine and as user") && detail.contains("display name"), "{detail}");
        let answer = ask(&sandbox, backend, &value("nobody", &[Kind::User])).await.expect("an answer");
        assert_eq!(warning_detail(&answer, WarningCode::TriedAs), None, "there was one reading only");
    }
}

#[tokio::test]
async fn failed_reading_is_reported_only_when_no_other_finds_anything() {
    let sandbox = sandbox().await;
    let (account, _) = USER.split_once('@').expect("a user principal name");
    let named = [Kind::Machine, Kind::User];
    for (route, text, status, found) in [
        (Route::Machines, "nobody", 403, false),
        (Route::UserAlerts, "nobody", 503, false),
        (Route::Machines, account, 503, true),
        (Route::UserAlerts, MACHINE, 503, true),
    ] {
        sandbox.mend();
        sandbox.forget();
        sandbox.fail(route, Times::Always, Fault::status(status));
        let outcome = ask(&sandbox, "defender", &value(text, &named)).await;
        match outcome {
            Ok(answer) => assert!(found && answer.findings.found(), "{route:?} {text}"),
            Err(EnrichError::Forbidden { .. } | EnrichError::Unavailable { .. }) => assert!(!found, "{route:?} {text}"),
            Err(error) => panic!("{route:?} {text}: {error}"),
        }
        assert!(calls(&sandbox, Route::UserAlerts) > 0 || text == MACHINE, "the others are still asked");
    }
    sandbox.mend();
    sandbox.fail(Route::Hunting, Times::Always, Fault::status(503));
    let outcome = ask(&sandbox, "graph", &value("nobody.contoso.com", NAME_KINDS)).await;
    assert!(matches!(outcome, Err(EnrichError::Unavailable { .. })), "{outcome:?}");
}
