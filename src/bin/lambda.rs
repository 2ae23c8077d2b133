//! `lambda`: the service as AWS Lambda runs it.

use std::sync::Arc;

use defender_enrich::config::{SettingError, Settings};
use defender_enrich::front_door;
use defender_enrich::service::Service;
use defender_enrich::telemetry::{self, LogSettings};
use lambda_http::Error;
use tracing::level_filters::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(LogSettings::read(LevelFilter::INFO));
    let service = service().inspect_err(|error| tracing::error!(%error, "a setting is wrong"))?;
    service.warm_up().await;
    let extension = service.afterwards().on_lambda(service.wants_time_after_answers()).await;
    // As a task: whatever wakes the main future has tokio ask the system for events before it goes on.
    tokio::spawn(front_door::run(service.router(), extension)).await?
}

fn service() -> Result<Arc<Service>, SettingError> {
    let settings = Settings::read()?;
    settings.require_callers()?;
    Service::from_environment(&settings)
}
