//! `audit verify`: reads a trail, from the tables or from a file, and says whether it is whole.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::aws::{TableNames, Tables};
use crate::cli::args::Verify;
use crate::cli::audit_verifier::{Anchored, Problem, Trail};
use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::flags::Flags;
use crate::cli::output::failure;
use crate::cli::progress::Progress;
use crate::domain::audit::AuditRecord;

/// What verifying found.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong, the anchor included.
    pub verified: bool,
    /// How many records were read.
    pub records: usize,
    /// How many chains they are in.
    pub chains: usize,
    /// How many checkpoints are among them.
    pub checkpoints: usize,
    /// Whether the chains were held against their items in table `Requests`.
    pub compared_with_requests: bool,
    /// The anchor that was asked about.
    pub anchor: Option<String>,
    /// The checkpoint that it is of.
    pub anchored: Option<Anchored>,
    /// The first record of each chain that does not fit.
    pub problems: Vec<Problem>,
    /// Whether it was read from a file, for people.
    #[serde(skip)]
    pub from_file: bool,
}

pub(crate) async fn verify(verify: &Verify, place: &mut CommandContext<'_>) -> Result<Verified, Failure> {
    let mut trail = Trail::default();
    let compared_with_requests = match &verify.from {
        Some(path) => read_file(path, &mut trail)?,
        None => read_tables(verify, place, &mut trail).await?,
    };
    let anchor = verify.anchor.as_ref().map(|anchor| anchor.0.clone());
    let anchored = anchor.as_ref().and_then(|hash| trail.anchored(hash));
    let (records, (chains, checkpoints)) = (trail.records, trail.counts());
    let problems = trail.problems();
    Ok(Verified {
        verified: problems.is_empty() && anchor.is_some() == anchored.is_some(),
        records,
        chains,
        checkpoints,
        compared_with_requests,
        anchor,
        anchored,
        problems,
        from_file: verify.from.is_some(),
    })
}

async fn read_tables(
    verify: &Verify,
    place: &mut CommandContext<'_>,
    trail: &mut Trail,
) -> Result<bool, Failure> {
    let given = verify.aws.flags().into_iter().chain(verify.tables.flags());
    let flags = Flags::over(place.environment, given);
    let (audit, requests) = (flags.config().audit()?, flags.config().requests_if_named()?);
    let compared = requests.is_some();
    let names = TableNames { audit, requests: requests.unwrap_or_default(), ..TableNames::default() };
    let dynamo = Tables::new(&place.aws(flags.config()).await?, names);
    // The ends first: what is written meanwhile then makes chains longer than they need be, never shorter.
    if compared {
        read_ends(&dynamo, trail).await?;
    }
    let mut position = None;
    let mut progress = Progress::new(place);
    loop {
        let page = dynamo.audit_page(None, position).await?;
        for found in page.items {
            match found {
                Ok(record) => trail.add(record),
                Err(found) => trail.unreadable(found),
            }
        }
        position = page.next;
        if position.is_none() {
            break;
        }
        progress.show(place.err, trail.records)?;
    }
    progress.end(place.err)?;
    if compared {
        // One that was begun since the ends were read has its item by now: it is written before the first record.
        for chain in trail.unknown_chains() {
            if !dynamo.knows_chain(&chain).await? {
                trail.unknown_chain(chain);
            }
        }
    }
    Ok(compared)
}

async fn read_ends(dynamo: &Tables, trail: &mut Trail) -> Result<(), Failure> {
    let mut position = None;
    loop {
        let page = dynamo.known_ends(position).await?;
        page.items.into_iter().for_each(|end| trail.known_end(end));
        position = page.next;
        if position.is_none() {
            return Ok(());
        }
    }
}

fn read_file(path: &Path, trail: &mut Trail) -> Result<bool, Failure> {
    let named = || path.display().to_string();
    let file = BufReader::new(File::open(path).with_context(named)?);
    for (index, line) in file.lines().enumerate() {
        let line = line.with_context(named)?;
        match serde_json::from_str::<AuditRecord>(&line) {
            Ok(record) => trail.add(record),
            Err(_) => return Err(failure::no_record(path, index + 1)),
        }
    }
    Ok(false)
}
