//! Secrets Manager: winterbaume's, with the two things put right that a rotation shows.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use winterbaume_core::StatefulService as _;
use winterbaume_secretsmanager::SecretsManagerService;

use crate::clock::Clock;
use crate::net::{HOME, REGION, Reply, Request, winterbaume};

/// The model.
pub struct Secrets {
    service: SecretsManagerService,
    clock: Clock,
    /// When each version was created, by its id: winterbaume goes by the wall clock.
    created: Mutex<BTreeMap<String, i64>>,
}

impl Secrets {
    pub fn new(clock: &Clock) -> Self {
        Self { service: SecretsManagerService::default(), clock: clock.clone(), created: Mutex::default() }
    }

    /// The same secrets, on another clock.
    pub async fn fork(&self, clock: &Clock) -> Self {
        let service = SecretsManagerService::default();
        service.restore(HOME, REGION, self.service.snapshot(HOME, REGION).await).await.unwrap();
        let created = Mutex::new(self.created.lock().unwrap().clone());
        Self { service, clock: clock.clone(), created }
    }

    /// At AWS one version is AWSPREVIOUS: the one that AWSCURRENT left last. winterbaume leaves the label on all
    /// of them, and answers with any.
    pub async fn answer(&self, request: &Request, operation: &str, input: &Value) -> Reply {
        if operation == "PutSecretValue" && input["VersionStages"].is_null() {
            let id = &input["SecretId"];
            let asked = json!({"SecretId": id, "VersionStage": "AWSPREVIOUS"});
            let previous = self.forward(request, "GetSecretValue", &asked).await;
            let previous: Value = serde_json::from_str(&previous.body).unwrap();
            if previous["VersionId"].is_string() {
                let unlabel = json!({
                    "SecretId": id, "VersionStage": "AWSPREVIOUS", "RemoveFromVersionId": previous["VersionId"],
                });
                self.forward(request, "UpdateSecretVersionStage", &unlabel).await;
            }
        }
        let mut reply = winterbaume(&self.service, request).await;
        let mut answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let Some(version) = answer["VersionId"].as_str().map(str::to_owned) else { return reply };
        let mut created = self.created.lock().unwrap();
        match operation {
            "CreateSecret" | "PutSecretValue" => drop(created.insert(version, self.clock.now().0)),
            "GetSecretValue" => {
                answer["CreatedDate"] = json!(created[&version]);
                reply.body = answer.to_string();
            }
            _ => {}
        }
        reply
    }

    async fn forward(&self, request: &Request, operation: &str, input: &Value) -> Reply {
        let mut headers = request.headers.clone();
        headers.retain(|(name, _)| name != "x-amz-target");
        headers.push(("x-amz-target".to_owned(), format!("secretsmanager.{operation}")));
        let (method, url) = (request.method.clone(), request.url.clone());
        winterbaume(&self.service, &Request { method, url, headers, body: input.to_string().into_bytes() })
            .await
    }
}
