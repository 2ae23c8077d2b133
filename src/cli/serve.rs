//! `serve`: the routes of the Lambda function on a laptop, by the same code.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Extension;
use ring::hmac;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{self, Signal, SignalKind};
#[cfg(windows)]
use tokio::signal::windows::{self, CtrlC};
use tokio::time::timeout;

use super::inbox::{self, Inbox};
use super::listen::ListenAddress;
use super::server::{self, Bounds};
use super::{CommandError, Stage, print};
use crate::api::OwnAddress;
use crate::config::CallerAuth;
use crate::domain::subject::Kind;
use crate::domain::timestamp::Timestamp;
use crate::formats::Format;
use crate::sandbox::company::showcase::ALERT;
use crate::sandbox::{self, DEMO_KEY, DEMO_SLACK_SECRET};

/// What a client may take to send a body and to read an answer.
const TIME_TO_READ: Duration = Duration::from_secs(5);

pub(super) async fn run(listen: ListenAddress, demo: bool) -> Result<ExitCode, CommandError> {
    let stage = Stage::set(demo).await?;
    let unheard = |cause| CommandError::Listen { address: listen.clone(), cause };
    let addresses = listen.resolved().await.map_err(unheard)?;
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        stage.settings.require_callers()?;
    }
    let listener = TcpListener::bind(&*addresses).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    // From here on a signal ends the process in order: whoever reads the line may send one.
    let signals = Signals::listen().map_err(CommandError::Runtime)?;
    print(&format!("listening on http://{address}"))?;
    if let Some(demo) = &stage.demo {
        print(&(guide(address) + &slash_command(address) + &beyond(address, &demo.inbox)))?;
        demo.inbox.announce();
    }
    let (service, is_demo) = (stage.service.clone(), stage.demo.is_some());
    // Which APIs a demonstration imitates is no news for its log.
    tokio::spawn(async move { if is_demo { drop(service.prefetch().await) } else { service.warm_up().await } });
    if stage.settings.caller_auth == CallerAuth::ApiKey && stage.settings.caller_secret.is_none() {
        tracing::warn!("CALLER_SECRET_ID is not set: there are no keys, and every call is refused");
    }
    let router = match stage.settings.caller_auth {
        CallerAuth::ApiKey | CallerAuth::Iam => stage.service.router(),
        CallerAuth::Nobody => stage.service.router().layer(Extension(OwnAddress(address))),
    };
    let bounds = Bounds::answering_within(stage.settings.timeout + TIME_TO_READ);
    server::serve(listener, router, bounds, signals.received()).await;
    // What is under way belongs to requests, and none of those may take longer.
    if timeout(stage.settings.timeout, stage.service.background_tasks().idle()).await.is_err() {
        tracing::warn!("work after an answer was given up at the end of the process");
    }
    Ok(ExitCode::SUCCESS)
}

/// The signals that ask the process to end. They are handled from the moment at which this exists.
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

    /// Resolves when the process is asked to end.
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

/// What a newcomer pastes into a shell: each kind of subject, and two of the formats.
fn guide(address: SocketAddr) -> String {
    let mut text =
        String::from("\nThis is an invented company: nothing leaves this machine. Paste a line into another shell:\n");
    for subject in sandbox::showcase() {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == subject.kind) else { continue };
        let heading = format!("\n# {} {}: {}\n", article(kind), kind.as_str(), subject.why);
        text.extend([heading, line(address, &[(kind.field(), subject.value)])]);
    }
    for (format, heading) in [
        (Format::Ocsf, "The same alert as an OCSF finding, for a lake or a SIEM"),
        (Format::Slack, "The same alert as a Slack message, for people"),
    ] {
        let line = line(address, &[(Kind::Alert.field(), ALERT), ("format", format.as_str())]);
        text.extend([format!("\n# {heading}\n"), line]);
    }
    text
}

/// A slash command as Slack would send it, and how to sign it anew: a signature is good for five minutes.
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

/// What else there is to try, and how it ends.
fn beyond(address: SocketAddr, inbox: &Inbox) -> String {
    let name = inbox::NAME;
    let notify = line(address, &[(Kind::Alert.field(), ALERT), ("notify", name)]);
    format!(
        "\n# the same alert, posted on to a chat: the destination \"{name}\" is a stand-in, which prints what it gets here\n\
         {notify}\
         \n# what the stand-in has got, in full\n\
         curl -s '{}'\n\
         \nFrom Microsoft Graph in place of the older APIs: DEFENDER_BACKEND=graph defender-enrich serve --demo\n\
         Ctrl-C ends it.\n",
        inbox.url()
    )
}

fn line(address: SocketAddr, fields: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("curl -s -H 'X-Api-Key: {DEMO_KEY}' 'http://{address}/v1/enrich?{query}'\n")
}

pub(super) fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert | Kind::Incident | Kind::Ip => "an",
        Kind::Machine | Kind::User | Kind::File | Kind::Domain => "a",
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    #[test]
    fn the_guide_asks_about_every_kind_and_in_two_formats() {
        let guide = guide(SocketAddr::from(([127, 0, 0, 1], 9000)));
        let lines: Vec<_> = guide.lines().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(lines.len(), sandbox::showcase().len() + 2);
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
