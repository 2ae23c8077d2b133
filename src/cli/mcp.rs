//! `mcp`: the Model Context Protocol over standard input and output. Each line is one message.
//!
//! Source: <https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#stdio>.

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::future::{AbortHandle, abortable};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{CommandError, Session, print};
use crate::api::answer_over_stdio;
use crate::app::Service;
use crate::mcp::{Incoming, Reply, read};

pub(super) async fn run(demo: bool) -> Result<ExitCode, CommandError> {
    let session = Session::start(demo).await?.with_aws_credentials().await?;
    let service = session.service.clone();
    let prefetch = tokio::spawn(async move { service.prefetch().await });
    exchange(&session.service, lines()?, |reply| print(&String::from_utf8_lossy(&reply.body))).await?;
    prefetch.abort();
    Ok(ExitCode::SUCCESS)
}

/// Answers messages until there are no more, and the last call has ended. Calls run concurrently.
async fn exchange(
    service: &Arc<Service>,
    mut lines: UnboundedReceiver<Vec<u8>>,
    mut send: impl FnMut(&Reply) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut calls = FuturesUnordered::new();
    // Running calls, by the ids of their requests.
    let mut running: Vec<(Value, AbortHandle)> = Vec::new();
    let mut is_open = true;
    while is_open || !calls.is_empty() {
        tokio::select! {
            biased;
            line = lines.recv(), if is_open => match line.map(|line| read(&line, None)) {
                None => is_open = false,
                // A client could take a reply without an id for the answer to another request.
                Some(Incoming::Answered(reply)) if reply.has_id => send(&reply)?,
                Some(Incoming::Answered(_) | Incoming::Accepted) => {}
                Some(Incoming::Cancelled(id)) => {
                    running.iter().filter(|(known, _)| *known == id).for_each(|(_, call)| call.abort());
                }
                Some(Incoming::Call(call)) => {
                    let id = call.id().clone();
                    let (reply, handle) = abortable(answer_over_stdio(service.clone(), call));
                    running.push((id.clone(), handle));
                    calls.push(async move { (id, reply.await) });
                }
            },
            Some((id, reply)) = calls.next() => {
                running.retain(|(known, _)| *known != id);
                // A cancelled call gets no answer.
                if let Ok(reply) = reply {
                    send(&reply)?;
                }
            }
        }
    }
    Ok(())
}

/// Reads standard input to its end. A thread waits for it, as a read cannot be interrupted.
fn lines() -> Result<UnboundedReceiver<Vec<u8>>, CommandError> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let read = move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match input.read_until(b'\n', &mut line) {
                Ok(1..) if line.trim_ascii().is_empty() => {}
                Ok(1..) if sender.send(line).is_ok() => {}
                Ok(_) | Err(_) => break,
            }
        }
    };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(read).map_err(CommandError::Runtime)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_cancelled_call_gets_no_answer() {
        let session = Session::start(true).await.expect("the demo");
        let call = |id: u32| {
            let params = json!({"name": "defender_lookup", "arguments": {"user": "dana.reyes"}});
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
        };
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
        let (sender, lines) = mpsc::unbounded_channel();
        for message in [call(1), call(2), cancelled] {
            sender.send(message.to_string().into_bytes()).expect("a receiver");
        }
        drop(sender);
        let mut ids = Vec::new();
        let send = |reply: &Reply| {
            let message: Value = serde_json::from_slice(&reply.body).expect("JSON");
            ids.push(message["id"].clone());
            Ok(())
        };
        exchange(&session.service, lines, send).await.expect("an end");
        assert_eq!(ids, [json!(2)]);
    }
}
