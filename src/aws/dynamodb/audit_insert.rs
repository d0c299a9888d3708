//! Writing to table `Audit`: entries are added, none is ever replaced.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::dynamodb::tables::Tables;
use crate::aws::error::aws_error;
use crate::domain::audit::AuditEntry;
use crate::id::RequestId;

impl Tables {
    /// Inserts an audit entry. PartiQL's INSERT fails on an existing key, where PutItem would replace it; and then
    /// the entry is there already, which is as good
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html>).
    pub async fn insert_audit(&self, request: &RequestId, entry: &AuditEntry) -> anyhow::Result<()> {
        let detail =
            entry.detail.iter().map(|(name, value)| (name.clone(), AttributeValue::S(value.clone())));
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let statement = format!(
            "INSERT INTO \"{}\" VALUE {{'pk': ?, 'sk': ?, 'at': ?, 'event': ?, 'actor': ?, 'detail': ?, 'prev': ?, \
             'hash': ?}}",
            self.names.audit
        );
        let parameters = vec![
            text(request.as_str()),
            AttributeValue::N(entry.seq.to_string()),
            AttributeValue::N(entry.at.0.to_string()),
            text(&entry.event),
            text(&entry.actor),
            AttributeValue::M(detail.collect()),
            text(&entry.prev),
            text(&entry.hash),
        ];
        let answer = self
            .client
            .execute_statement()
            .statement(statement)
            .set_parameters(Some(parameters))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_duplicate_item_exception()) => Ok(()),
            Err(error) => Err(aws_error("dynamodb:PartiQLInsert", &error)),
        }
    }
}
