//! `lambda`: the service as AWS Lambda runs it.

use defender_enrich::config::Settings;
use defender_enrich::front_door;
use defender_enrich::service::Service;
use defender_enrich::telemetry::{self, LogSettings};
use lambda_http::Error;
use tracing::level_filters::LevelFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(LogSettings::read(LevelFilter::INFO));
    let settings = Settings::read().inspect_err(|error| tracing::error!(%error, "a setting is wrong"))?;
    settings.require_callers().inspect_err(|error| tracing::error!(%error, "a setting is wrong"))?;
    let service = Service::from_environment(&settings)?;
    service.warm_up().await;
    front_door::run(&service).await
}
