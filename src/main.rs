//! `defender-enrich`: the service on a laptop. `serve`, `lookup`, `check`, `openapi`, `completions`.

use std::process::ExitCode;

fn main() -> ExitCode {
    defender_enrich::cli::run()
}
