//! The command line: what `defender-enrich` does, composed from the house.

mod check;
mod lookup;
mod openapi;
#[cfg(test)]
mod readings;
mod serve;
mod server;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::PossibleValue;
use clap::{Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::config::{SettingError, Settings};
use crate::credentials::aws::AwsAccess;
use crate::domain::subject::Kind;
use crate::domain::subject::field_names::{self, Named};
use crate::domain::time::Moment;
use crate::render::Format;
use crate::sandbox::Sandbox;
use crate::service::Service;
use crate::telemetry::{self, LogSettings};
use crate::upstream::HttpClient;

/// What Microsoft Defender knows about an alert, a machine, a user, a file, an incident, an address or a domain.
#[derive(Parser)]
#[command(name = "defender-enrich", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the same routes as the Lambda function.
    Serve {
        /// Where to listen; port 0 picks a free one.
        #[arg(long, default_value = "127.0.0.1:9000")]
        listen: SocketAddr,
        /// Use an invented company on a stand-in for AWS and Microsoft: nothing leaves this machine.
        #[arg(long)]
        demo: bool,
    },
    /// Ask about one subject and print the answer. Exit status: 0 found, 1 not found, 2 bad input, 3 no answer.
    Lookup {
        /// What it is: alert, machine, user, file, incident, ip, domain, url, or value for anything. Other words, such as
        /// host, upn or sha256, are understood.
        #[arg(value_parser = kind_word)]
        kind: Named,
        /// Its id or name, in any form that the service takes.
        value: String,
        /// The shape of the answer.
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
        /// Ask the invented company.
        #[arg(long)]
        demo: bool,
    },
    /// Prove a deployment: the secrets, a token for every API, its permissions, one harmless call each.
    Check {
        /// Check the invented company.
        #[arg(long)]
        demo: bool,
    },
    /// Print the OpenAPI document.
    Openapi {
        /// Print the one for gateways and connectors that know OpenAPI 3.0 and no composition.
        #[arg(long)]
        flat: bool,
        /// Write both, and the JSON Schemas, into this directory instead.
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
}

/// A word of the table, which says of what kind the value is.
fn kind_word(word: &str) -> Result<Named, String> {
    field_names::look_up(word).ok_or_else(|| {
        let meant = field_names::nearest(word, &[]).map(|meant| format!(": did you mean {meant}?"));
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        format!("no word for a kind{}; the kinds are {kinds}, url, and value for anything", meant.unwrap_or_default())
    })
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Setting(#[from] SettingError),
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("the sandbox does not start: {0}")]
    Sandbox(#[source] std::io::Error),
    #[error("the runtime does not start: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: std::io::Error },
}

/// Exit status of `lookup` and of whatever cannot do its work.
const BAD_INPUT: u8 = 2;
const NO_ANSWER: u8 = 3;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let quiet = !matches!(arguments.command, Command::Serve { .. });
    telemetry::start(LogSettings::read(if quiet { LevelFilter::ERROR } else { LevelFilter::INFO }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments.command)),
        Err(cause) => Err(CommandError::Runtime(cause)),
    };
    outcome.unwrap_or_else(|error| {
        complain(&error.to_string());
        ExitCode::from(NO_ANSWER)
    })
}

async fn dispatch(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Serve { listen, demo } => serve::run(listen, demo).await,
        Command::Lookup { kind, value, format, demo } => lookup::run(kind, &value, format, demo).await,
        Command::Check { demo } => check::run(demo).await,
        Command::Openapi { flat, write } => openapi::run(flat, write),
    }
}

/// A service, its settings, and the sandbox that it talks to where it is a demonstration.
struct Stage {
    settings: Settings,
    service: Arc<Service>,
    sandbox: Option<Sandbox>,
}

impl Stage {
    async fn set(demo: bool) -> Result<Self, CommandError> {
        if demo {
            let sandbox = Sandbox::start().await.map_err(CommandError::Sandbox)?;
            let settings = Settings::for_demo(&sandbox.settings())?;
            let service = Service::from_environment(&settings)?;
            return Ok(Self { settings, service, sandbox: Some(sandbox) });
        }
        let settings = Settings::read()?;
        let http = HttpClient::new(settings.extra_ca_file.as_deref())?;
        let aws = AwsAccess::from_profile(&settings.aws, &http).await?;
        let service = Service::new(&settings, http, aws, Moment::now)?;
        Ok(Self { settings, service, sandbox: None })
    }
}

/// A line on standard output. Whoever does not read on, as `head` does, has had enough: that is no error.
fn print(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A line on standard error.
#[expect(clippy::print_stderr, reason = "this is how a command complains")]
fn complain(line: &str) {
    eprintln!("defender-enrich: {line}");
}
