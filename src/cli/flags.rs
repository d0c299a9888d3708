//! Flags, which come before variables of the same meaning.

use std::collections::BTreeMap;

use crate::aws::TableNames;
use crate::cli::args::{Aws, TableArgs};
use crate::cli::failure::Failure;
use crate::config::{Environment, OperatorConfig};

/// The variables, those before them that were given as flags.
pub(crate) struct Flags<'e> {
    given: BTreeMap<&'static str, String>,
    environment: &'e dyn Environment,
}

impl<'e> Flags<'e> {
    pub(crate) fn over(
        environment: &'e dyn Environment,
        given: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Self {
        let given = given.into_iter().filter_map(|(variable, value)| Some((variable, value?)));
        Self { given: given.collect(), environment }
    }

    pub(crate) fn config(&self) -> OperatorConfig<'_> {
        OperatorConfig::new(self)
    }
}

impl Environment for Flags<'_> {
    fn get(&self, variable: &str) -> Option<String> {
        let given = self.given.get(variable).filter(|value| !value.is_empty());
        given.cloned().or_else(|| self.environment.get(variable))
    }
}

impl Aws {
    pub(crate) fn flags(&self) -> [(&'static str, Option<String>); 2] {
        [("AWS_REGION", self.region.clone()), ("AWS_PROFILE", self.profile.clone())]
    }
}

impl TableArgs {
    pub(crate) fn flags(&self) -> [(&'static str, Option<String>); 2] {
        [
            ("KEYVEND_AUDIT_TABLE", self.audit_table.clone()),
            ("KEYVEND_REQUESTS_TABLE", self.requests_table.clone()),
        ]
    }
}

/// Both tables, which whatever changes something needs.
pub(crate) fn tables(config: OperatorConfig<'_>) -> Result<TableNames, Failure> {
    Ok(TableNames { requests: config.requests()?, audit: config.audit()?, ..TableNames::default() })
}
