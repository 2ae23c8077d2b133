//! The command line of `defender-enrich`.

mod check;
mod demo_chat;
mod listen;
mod lookup;
mod mcp;
mod openapi;
mod serve;
mod server;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::json;
use tracing::level_filters::LevelFilter;

use self::demo_chat::DemoChat;
use self::listen::ListenAddress;
use crate::app::Service;
use crate::client::HttpClient;
use crate::clock::Clock;
use crate::config::{SettingError, Settings};
use crate::credentials::aws::{AwsAccess, MissingCredentials};
use crate::domain::subject::Kind;
use crate::domain::subject::field_names::{self, FieldMeaning};
use crate::formats::Format;
use crate::telemetry::{self, LogSettings};
use defender_sandbox::Sandbox;

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
        /// Where to listen: an address or a name, and a port; port 0 picks a free one.
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
        listen: ListenAddress,
        /// Use an invented company on a stand-in for AWS and Microsoft: nothing leaves this machine.
        #[arg(long)]
        demo: bool,
    },
    /// Ask about one subject and print the answer. Exit status: 0 found, 1 not found, 2 bad input, 3 no answer.
    Lookup {
        /// What it is: alert, machine, user, file, incident, ip, domain, url, or value for anything. Other words, such as
        /// host, upn or sha256, are understood.
        #[arg(value_parser = kind_word)]
        kind: FieldMeaning,
        /// Its id or name, in any form that the service takes.
        value: String,
        /// The shape of the answer; by default text on a terminal, and json into a file or a pipe.
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Ask the invented company.
        #[arg(long)]
        demo: bool,
    },
    /// Prove a deployment: the secrets, a token for every API, its permissions, one harmless call each, the destinations.
    ///
    /// With --url it asks a deployed service instead. Exit status: 0 nothing is wrong, 1 something is.
    Check(check::Options),
    /// Print the OpenAPI document.
    Openapi {
        /// Print the one for gateways and connectors that know OpenAPI 3.0 and no composition.
        #[arg(long)]
        flat: bool,
        /// Write both, and the JSON Schemas, into this directory instead.
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
    /// Speak the Model Context Protocol over standard input and output, for programs that start their servers themselves.
    Mcp {
        /// Use the invented company: nothing leaves this machine.
        #[arg(long)]
        demo: bool,
    },
    /// Print completions for a shell, to be stored where that shell looks for them.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Parses a word for a subject's kind.
fn kind_word(word: &str) -> Result<FieldMeaning, String> {
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

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Setting(#[from] SettingError),
    #[error("AWS credentials: {0}")]
    AwsCredentials(#[source] MissingCredentials),
    #[error("cannot listen on {address}: {}", listen::explanation(.cause))]
    Listen { address: ListenAddress, cause: std::io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(#[source] std::io::Error),
    #[error("cannot read from standard input: {0}")]
    Input(#[source] std::io::Error),
    #[error("the sandbox does not start: {0}")]
    Sandbox(#[source] std::io::Error),
    #[error("the runtime does not start: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: std::io::Error },
}

/// Longer than a profile takes whose role is assumed over SSO.
const AWS_CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(10);

/// The exit statuses of `lookup` for invalid input, and of any command that fails.
const BAD_INPUT: u8 = 2;
const NO_ANSWER: u8 = 3;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => error.exit(),
        // clap ignores that its help and its version cannot be written.
        Err(help) => return exit_code(print(help.to_string().trim_end()).map(|()| ExitCode::SUCCESS)),
    };
    exit_code(begin_log(&arguments.command).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(CommandError::Runtime)?.block_on(dispatch(arguments.command))
    }))
}

fn exit_code(outcome: Result<ExitCode, CommandError>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        print_error(&error.explanation());
        ExitCode::from(NO_ANSWER)
    })
}

fn begin_log(command: &Command) -> Result<(), CommandError> {
    let level = match command {
        Command::Serve { .. } | Command::Mcp { .. } => LevelFilter::INFO,
        Command::Lookup { .. } | Command::Check(_) | Command::Openapi { .. } | Command::Completions { .. } => {
            LevelFilter::ERROR
        }
    };
    telemetry::start(LogSettings::read(level)?);
    Ok(())
}

async fn dispatch(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Serve { listen, demo } => serve::run(listen, demo).await,
        Command::Lookup { kind, value, format, demo } => lookup::run(kind, &value, format, demo).await,
        Command::Check(options) => check::run(options).await,
        Command::Openapi { flat, write } => openapi::run(flat, write),
        Command::Mcp { demo } => mcp::run(demo).await,
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "defender-enrich", &mut script);
    // For a program with a hyphen in its name, clap_complete 4.6 writes two spellings of one variable into bash's script.
    // Source: <https://github.com/clap-rs/clap/issues/6421>.
    let script = String::from_utf8_lossy(&script).replace("defender__subcmd__enrich", "defender__enrich");
    print(script.trim_end_matches('\n'))?;
    Ok(ExitCode::SUCCESS)
}

impl CommandError {
    /// The error text, with a hint how to try the program where nothing is set up yet.
    fn explanation(&self) -> String {
        match self {
            Self::Setting(error) if error.name() == "DEFENDER_SECRET_ID" => {
                format!("{error}. To try it without AWS and Microsoft, add --demo")
            }
            Self::Setting(_)
            | Self::AwsCredentials(_)
            | Self::Listen { .. }
            | Self::Output(_)
            | Self::Input(_)
            | Self::Sandbox(_)
            | Self::Runtime(_)
            | Self::Write { .. } => self.to_string(),
        }
    }
}

/// A service with its settings and its dependencies.
struct Session {
    settings: Settings,
    service: Arc<Service>,
    /// The AWS credentials of this shell; `None` in the demo.
    aws: Option<AwsAccess>,
    demo: Option<Demo>,
}

/// The servers of the demo.
struct Demo {
    /// Replaces AWS and Microsoft. Dropping it stops the servers.
    _sandbox: Sandbox,
    /// Replaces a chat that receives answers.
    chat: DemoChat,
}

impl Session {
    async fn start(demo: bool) -> Result<Self, CommandError> {
        if demo {
            let sandbox = Sandbox::start().await.map_err(CommandError::Sandbox)?;
            let chat = DemoChat::start().await.map_err(CommandError::Sandbox)?;
            let mut callers = defender_sandbox::demo_callers();
            if let Some(members) = callers.as_object_mut() {
                members.insert("destinations".to_owned(), json!({demo_chat::NAME: chat.destination()}));
            }
            sandbox.put_secret(defender_sandbox::CALLER_SECRET, &callers.to_string());
            let mut given = sandbox.settings();
            // The chat listens on a loopback address.
            given.push(("ENRICH_ALLOW_PRIVATE_DESTINATIONS", "true".to_owned()));
            let settings = Settings::for_demo(&given)?;
            let service = Service::from_environment(&settings)?;
            return Ok(Self { settings, service, aws: None, demo: Some(Demo { _sandbox: sandbox, chat }) });
        }
        let settings = Settings::read()?;
        let http = HttpClient::new(settings.extra_ca_file.as_deref())?;
        let aws = AwsAccess::from_profile(&settings.aws, &http).await?;
        let service = Service::new(&settings, &http, aws.clone(), Clock::SYSTEM)?;
        Ok(Self { settings, service, aws: Some(aws), demo: None })
    }

    /// Fails if there are no AWS credentials, because every call to Microsoft needs a secret first.
    async fn with_aws_credentials(self) -> Result<Self, CommandError> {
        let missing = match &self.aws {
            Some(aws) => aws.missing_credentials(AWS_CREDENTIALS_TIMEOUT).await,
            None => None,
        };
        missing.map_or(Ok(self), |missing| Err(CommandError::AwsCredentials(missing)))
    }
}

/// Prints lines on standard output. A reader that stops early, such as `head`, is not an error.
fn print(text: &str) -> Result<(), CommandError> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => Err(CommandError::Output(cause)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether standard output is a terminal.
fn is_on_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Prints a line on standard error. A failure is ignored, as it cannot be reported.
fn print_error(line: &str) {
    drop(writeln!(std::io::stderr(), "defender-enrich: {line}"));
}
