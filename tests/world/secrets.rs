//! Secrets Manager: winterbaume's, with the one thing put right that a rotation shows.

use serde_json::{Value, json};
use winterbaume_secretsmanager::SecretsManagerService;

use super::net::{Reply, Request, winterbaume};

/// The model.
#[derive(Default)]
pub struct Secrets(SecretsManagerService);

impl Secrets {
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
        winterbaume(&self.0, request).await
    }

    async fn forward(&self, request: &Request, operation: &str, input: &Value) -> Reply {
        let mut headers = request.headers.clone();
        headers.retain(|(name, _)| name != "x-amz-target");
        headers.push(("x-amz-target".to_owned(), format!("secretsmanager.{operation}")));
        let (method, url) = (request.method.clone(), request.url.clone());
        winterbaume(&self.0, &Request { method, url, headers, body: input.to_string().into_bytes() }).await
    }
}
