//! The backend that answers: an enum of concrete clients, told apart here and nowhere else.

use super::key::Key;
use super::resolve::Resolution;
use crate::credentials::CallError;
use crate::defender::{Defender, devices};
use crate::domain::enrichment::Backend as BackendName;
use crate::domain::findings::Findings;
use crate::domain::subject::{DeviceName, Kind, Sha256};
use crate::upstream::Context;

/// The API family in use.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// Defender for Endpoint and Defender XDR.
    Defender(Defender),
}

/// Where an answer came from.
pub(super) struct Origin {
    pub(super) backend: BackendName,
    pub(super) product: &'static str,
    pub(super) api: &'static str,
}

impl Backend {
    pub(super) async fn fetch(&self, key: &Key, ctx: &Context) -> Result<Findings, CallError> {
        let Self::Defender(defender) = self;
        match key {
            Key::Alert(id) => defender.alert(id, ctx).await,
            Key::Machine(id) => defender.machine_alerts(id, ctx).await,
            Key::User(account) => defender.user_alerts(account, ctx).await,
            Key::File(sha1) => defender.file_alerts(sha1, ctx).await,
            Key::Incident(id) => defender.incident(*id, ctx).await,
        }
    }

    pub(super) async fn device(&self, name: &DeviceName, ctx: &Context) -> Result<Resolution, CallError> {
        let Self::Defender(defender) = self;
        Ok(Resolution::Device(devices::choose(defender.devices_named(name, ctx).await?)))
    }

    pub(super) async fn sha1(&self, sha256: &Sha256, ctx: &Context) -> Result<Resolution, CallError> {
        let Self::Defender(defender) = self;
        Ok(Resolution::Sha1(defender.sha1_of(sha256, ctx).await?))
    }

    pub(super) fn origin(&self, kind: Kind) -> Origin {
        let Self::Defender(_) = self;
        let (product, api) = match kind {
            Kind::Alert => (ENDPOINT, "GET /api/alerts/{id}"),
            Kind::Machine => (ENDPOINT, "GET /api/machines/{id}/alerts"),
            Kind::User => (ENDPOINT, "GET /api/users/{id}/alerts"),
            Kind::File => (ENDPOINT, "GET /api/files/{id}/alerts"),
            Kind::Incident => ("Microsoft Defender XDR", "GET /api/incidents/{id}"),
        };
        Origin { backend: BackendName::Defender, product, api }
    }
}

const ENDPOINT: &str = "Microsoft Defender for Endpoint";
