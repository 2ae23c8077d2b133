//! `serve`: the routes of the Lambda function on a laptop, by the same code.

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;

use super::{CommandError, Stage, print};
use crate::domain::subject::Kind;
use crate::sandbox::{self, DEMO_KEY};

pub(super) async fn run(listen: SocketAddr, demo: bool) -> Result<ExitCode, CommandError> {
    let stage = Stage::set(demo).await?;
    if !listen.ip().is_loopback() {
        stage.settings.require_callers()?;
    }
    let unheard = |cause| CommandError::Listen { address: listen, cause };
    let listener = TcpListener::bind(listen).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    print(&format!("listening on http://{address}"));
    if stage.sandbox.is_some() {
        print(&guide(address));
    }
    let warm = stage.service.clone();
    tokio::spawn(async move { warm.warm_up().await });
    let served = axum::serve(listener, stage.service.router()).with_graceful_shutdown(told_to_stop());
    served.await.map_err(CommandError::Server)?;
    Ok(ExitCode::SUCCESS)
}

/// Resolves when the process is asked to end.
async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = interrupted => (),
            _ = terminated.recv() => (),
        }
        return;
    }
    // Without a way to be asked, the process serves until it is ended.
    drop(interrupted.await);
}

/// What a newcomer pastes into a shell.
fn guide(address: SocketAddr) -> String {
    let mut text =
        String::from("\nThis is an invented company: nothing leaves this machine. Paste a line into another shell:\n");
    for subject in sandbox::showcase() {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == subject.kind) else { continue };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair(kind.field(), subject.value).finish();
        let heading = format!("\n# {} {}: {}\n", article(kind), kind.as_str(), subject.why);
        let line = format!("curl -s -H 'X-Api-Key: {DEMO_KEY}' 'http://{address}/v1/enrich?{query}'\n");
        text.extend([heading, line]);
    }
    text
}

pub(super) fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert | Kind::Incident => "an",
        Kind::Machine | Kind::User | Kind::File => "a",
    }
}
