//! `audit export`: the trail as it is, record by record, without ever holding more than a page of it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use crate::aws::{Position, TableNames, Tables};
use crate::cli::answer::ExitStatus;
use crate::cli::args::{Export, Format};
use crate::cli::context::CommandContext;
use crate::cli::csv;
use crate::cli::failure::Failure;
use crate::cli::flags::Flags;
use crate::cli::output::export::{exported, left_out};
use crate::cli::progress::Progress;
use crate::domain::audit::AuditRecord;

/// Where the records go: a file appears under its name once it is whole.
struct Target {
    file: Option<(BufWriter<File>, PathBuf, PathBuf)>,
}

impl Target {
    fn open(out: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = out else { return Ok(Self { file: None }) };
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| part.display().to_string())?;
        Ok(Self { file: Some((BufWriter::new(file), part, path.to_owned())) })
    }

    fn write(&mut self, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        match &mut self.file {
            Some((file, part, _)) => {
                file.write_all(text.as_bytes()).with_context(|| part.display().to_string())?;
            }
            None => out.write_all(text.as_bytes())?,
        }
        Ok(())
    }

    fn close(self, out: &mut dyn Write) -> Result<(), Failure> {
        match self.file {
            Some((mut file, part, path)) => {
                file.flush().with_context(|| part.display().to_string())?;
                fs::rename(&part, &path).with_context(|| path.display().to_string())?;
            }
            None => out.flush()?,
        }
        Ok(())
    }
}

pub(crate) async fn export(
    export: &Export,
    json: bool,
    place: &mut CommandContext<'_>,
) -> Result<ExitStatus, Failure> {
    let table = [("KEYVEND_AUDIT_TABLE", export.audit_table.clone())];
    let flags = Flags::over(place.environment, export.aws.flags().into_iter().chain(table));
    let names = TableNames { audit: flags.config().audit()?, ..TableNames::default() };
    let dynamo = Tables::new(&place.aws(flags.config()).await?, names);
    let format = if json { Format::Jsonl } else { export.format };
    let chain = export.request.as_ref().map(|request| request.as_str());

    let mut target = Target::open(export.out.as_deref())?;
    if format == Format::Csv {
        target.write(csv::HEAD, place.out)?;
    }
    let mut progress = Progress::new(place);
    let (mut read, mut written, mut unreadable) = (0, 0, 0);
    let mut position: Option<Position> = None;
    loop {
        let page = dynamo.audit_page(chain, position).await?;
        for found in page.items {
            read += 1;
            match found {
                Ok(record) if export.takes(&record) => {
                    target.write(&line(&record, format)?, place.out)?;
                    written += 1;
                }
                Ok(_) => {}
                Err(found) => {
                    progress.end(place.err)?;
                    writeln!(place.err, "{}", left_out(&found))?;
                    unreadable += 1;
                }
            }
        }
        position = page.next;
        if position.is_none() {
            break;
        }
        progress.show(place.err, read)?;
    }
    progress.end(place.err)?;
    target.close(place.out)?;
    let to = export.out.as_deref();
    let said = if json {
        json!({"written": written, "unreadable": unreadable, "out": to}).to_string()
    } else {
        exported(written, unreadable, to)
    };
    writeln!(place.err, "{said}")?;
    Ok(if unreadable == 0 { ExitStatus::Done } else { ExitStatus::No })
}

impl Export {
    fn takes(&self, record: &AuditRecord) -> bool {
        let at = record.entry.at;
        self.since.is_none_or(|since| at >= since.0) && self.until.is_none_or(|until| at < until.0)
    }
}

fn line(record: &AuditRecord, format: Format) -> Result<String, Failure> {
    match format {
        Format::Csv => Ok(csv::line(record)),
        Format::Jsonl => Ok(format!("{}\n", serde_json::to_string(record).map_err(anyhow::Error::from)?)),
    }
}
