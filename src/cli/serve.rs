//! `serve`: runs the same routes as the Lambda function on a local machine.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use ring::hmac;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{self, Signal, SignalKind};
#[cfg(windows)]
use tokio::signal::windows::{self, CtrlC};
use tokio::time::timeout;

use super::demo_chat::{self, DemoChat};
use super::listen::ListenAddress;
use super::server::{self, Bounds};
use super::{CommandError, Session, print};
use crate::api::{OwnAddress, PageExample, PageSetup};
use crate::config::CallerAuth;
use crate::domain::subject::Kind;
use crate::domain::timestamp::Timestamp;
use crate::formats::Format;
use defender_sandbox::company::showcase::ALERT;
use defender_sandbox::{DEMO_KEY, DEMO_SLACK_SECRET};

/// The time that a client may take to send a body and to read a response.
const CLIENT_TRANSFER_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(listen: ListenAddress, demo: bool) -> Result<ExitCode, CommandError> {
    let session = Session::start(demo).await?.with_aws_credentials().await?;
    let listen_error = |cause| CommandError::Listen { address: listen.clone(), cause };
    let addresses = listen.resolved().await.map_err(listen_error)?;
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        session.settings.require_callers()?;
    }
    let listener = TcpListener::bind(&*addresses).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    // Signals are handled from here on: a program that reads the printed line may send one.
    let signals = Signals::listen().map_err(CommandError::Runtime)?;
    print(&format!("listening on http://{address}"))?;
    if let Some(demo) = &session.demo {
        print(&(guide(address) + &slash_command(address) + &further_examples(address, &demo.chat)))?;
        demo.chat.announce();
    }
    let (service, is_demo) = (session.service.clone(), session.demo.is_some());
    // In the demo, the log does not warn about the retirement of the older APIs.
    tokio::spawn(async move { if is_demo { drop(service.prefetch().await) } else { service.warm_up().await } });
    if session.settings.caller_auth == CallerAuth::ApiKey && session.settings.caller_secret.is_none() {
        tracing::warn!("CALLER_SECRET_ID is not set: there are no keys, and every call is refused");
    }
    let router = match session.settings.caller_auth {
        CallerAuth::ApiKey | CallerAuth::Iam => session.service.router(),
        CallerAuth::Nobody => session.service.router().layer(Extension(OwnAddress(address))),
    };
    let router = if demo { router.layer(Extension(Arc::new(page_setup()))) } else { router };
    let bounds = Bounds::answering_within(session.settings.timeout + CLIENT_TRANSFER_TIMEOUT);
    server::serve(listener, router, bounds, signals.received()).await;
    // Background work belongs to requests, so the request timeout bounds it.
    if timeout(session.settings.timeout, session.service.background_tasks().idle()).await.is_err() {
        tracing::warn!("work after an answer was given up at the end of the process");
    }
    Ok(ExitCode::SUCCESS)
}

/// The signals that end the process. They are handled as soon as this value exists.
struct Signals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(windows)]
    interrupt: CtrlC,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: unix::signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: unix::signal(SignalKind::terminate())?,
            #[cfg(windows)]
            interrupt: windows::ctrl_c()?,
        })
    }

    /// Resolves when one of the signals arrives.
    async fn received(mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
        #[cfg(windows)]
        drop(self.interrupt.recv().await);
    }
}

/// The demo's key and examples, for the page.
fn page_setup() -> PageSetup {
    let examples = defender_sandbox::showcase().iter().filter_map(|subject| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == subject.kind)?;
        Some(PageExample { field: kind.field(), value: subject.value, about: subject.why })
    });
    PageSetup { key: Some(DEMO_KEY), examples: examples.collect() }
}

/// Builds the demo's example commands: one for each kind of subject, and two for other formats.
fn guide(address: SocketAddr) -> String {
    let mut text = format!(
        "\nThis is an invented company: nothing leaves this machine.\n\n\
         Open this page in a browser: http://{address}/\n\n\
         Or paste a line into another shell:\n"
    );
    for subject in defender_sandbox::showcase() {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == subject.kind) else { continue };
        let heading = format!("\n# {} {}: {}\n", kind.article(), kind.as_str(), subject.why);
        let mut fields = vec![(kind.field(), subject.value)];
        match kind {
            Kind::Machine | Kind::File | Kind::Ip | Kind::Domain => fields.push(("include", "context")),
            // Defender says nothing more of these.
            Kind::Alert | Kind::User | Kind::Incident => {}
        }
        text.extend([heading, curl_line(address, &fields)]);
    }
    let json_body = format!(
        "\n# the first alert again, with a JSON body\n\
         curl -s -H 'X-Api-Key: {DEMO_KEY}' -H 'Content-Type: application/json' \
         -d '{{\"alert_id\":\"{ALERT}\"}}' 'http://{address}/v1/enrich'\n"
    );
    text.push_str(&json_body);
    for (format, heading) in [
        (Format::Ocsf, "The same alert as an OCSF finding, for a lake or a SIEM"),
        (Format::Slack, "The same alert as a Slack message, for people"),
    ] {
        let command = curl_line(address, &[(Kind::Alert.field(), ALERT), ("format", format.as_str())]);
        text.extend([format!("\n# {heading}\n"), command]);
    }
    text
}

/// Builds the example of a slash command, as Slack sends it, and a command that signs it again: a signature is valid
/// for five minutes.
fn slash_command(address: SocketAddr) -> String {
    let command = "command=%2Fdefender&text=machine+desk-042.contoso.com";
    let url = format!("http://{address}/v1/hooks/slack");
    let now = Timestamp::now().unix_seconds();
    let key = hmac::Key::new(hmac::HMAC_SHA256, DEMO_SLACK_SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{now}:{command}").as_bytes());
    let signature = hex::encode(tag);
    format!(
        "\n# a slash command of Slack's, signed for the next five minutes\n\
         curl -s -H 'X-Slack-Request-Timestamp: {now}' -H 'X-Slack-Signature: v0={signature}' -d '{command}' '{url}'\n\
         \n# the same, signed anew\n\
         b='{command}'; t=$(date +%s); s=$(printf 'v0:%s:%s' \"$t\" \"$b\" | openssl dgst -sha256 -hmac '{DEMO_SLACK_SECRET}' | sed 's/.* //'); \
         curl -s -H \"X-Slack-Request-Timestamp: $t\" -H \"X-Slack-Signature: v0=$s\" -d \"$b\" '{url}'\n"
    )
}

/// Builds the remaining examples, and the hint how to stop.
fn further_examples(address: SocketAddr, chat: &DemoChat) -> String {
    let name = demo_chat::NAME;
    let notify = curl_line(address, &[(Kind::Alert.field(), ALERT), ("notify", name)]);
    format!(
        "\n# the same alert, posted on to a chat: the destination \"{name}\" is a stand-in, which prints what it gets here\n\
         {notify}\
         \n# what the stand-in has got, in full\n\
         curl -s '{}'\n\
         \nFrom Microsoft Graph in place of the older APIs: DEFENDER_BACKEND=graph defender-enrich serve --demo\n\
         Ctrl-C ends it.\n",
        chat.url()
    )
}

fn curl_line(address: SocketAddr, fields: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("curl -s -H 'X-Api-Key: {DEMO_KEY}' 'http://{address}/v1/enrich?{query}'\n")
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    #[test]
    fn guide_covers_every_kind_a_json_body_and_two_formats() {
        let guide = guide(SocketAddr::from(([127, 0, 0, 1], 9000)));
        let lines: Vec<_> = guide.lines().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(lines.len(), defender_sandbox::showcase().len() + 3);
        let bodies: Vec<_> =
            lines.iter().filter(|line| line.contains(&format!("-d '{{\"alert_id\":\"{ALERT}\"}}'"))).collect();
        assert_eq!(bodies.len(), 1, "{guide}");
        for line in &lines {
            let address: Uri = line.split('\'').rev().nth(1).expect("an address").parse().expect("an address");
            assert_eq!((address.port_u16(), address.path()), (Some(9000), "/v1/enrich"), "{line}");
        }
        for kind in Kind::ALL {
            assert!(lines.iter().any(|line| line.contains(&format!("?{}=", kind.field()))), "{kind:?}");
        }
        let last: Vec<_> = lines.iter().rev().take(2).map(|line| line.contains("format=")).collect();
        assert_eq!(last, [true, true]);
        assert!(guide.contains("&format=ocsf'") && guide.contains("&format=slack'"), "{guide}");
    }
}
