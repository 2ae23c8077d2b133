//! `lambda`: the service as AWS Lambda runs it.

use std::process::ExitCode;
use std::sync::Arc;

use defender_enrich::app::Service;
use defender_enrich::config::{SettingError, Settings};
use defender_enrich::lambda::{self, Extension};
use defender_enrich::telemetry::{self, LogSettings};
use lambda_http::Error;
use tracing::level_filters::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let log = LogSettings::read(LevelFilter::INFO);
    telemetry::start(log.clone().unwrap_or(DEFAULT_LOG));
    let (settings, service) = match log.and_then(|_| service()) {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(%error, "a setting is wrong");
            return ExitCode::FAILURE;
        }
    };
    service.warm_up().await;
    let extension = Extension::arrange(service.background_tasks(), service.wants_time_after_answers()).await;
    // Spawned, because each wake-up of the main future makes tokio poll the system for events first.
    let outcome = tokio::spawn(lambda::run(service.router(), settings, extension)).await;
    match outcome.map_err(Error::from).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime has ended");
            ExitCode::FAILURE
        }
    }
}

/// Used to log that the log settings themselves are wrong.
const DEFAULT_LOG: LogSettings = LogSettings { json: true, level: LevelFilter::INFO, color: false };

fn service() -> Result<(Arc<Settings>, Arc<Service>), SettingError> {
    let settings = Settings::read()?;
    settings.require_callers()?;
    let service = Service::from_environment(&settings)?;
    Ok((Arc::new(settings), service))
}
