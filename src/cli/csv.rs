//! Records as CSV (RFC 4180, a line a record): for spreadsheets, which take some texts for formulas, and for terminals,
//! which take some for commands. What people wrote is in it, and they may have meant either.

use crate::cli::output::text::plain;
use crate::domain::audit::AuditRecord;

/// The first line.
pub(crate) const HEAD: &str = "time,request,seq,event,actor,detail,prev,hash\n";

/// One record. `detail` is JSON.
pub(crate) fn line(record: &AuditRecord) -> String {
    let AuditRecord { request, entry } = record;
    let detail = serde_json::to_string(&entry.detail).unwrap_or_default();
    // A spreadsheet that splits at semicolons must not find the beginning of a cell in here; JSON reads it back the same.
    let detail = detail.replace(';', "\\u003b");
    let seq = entry.seq.to_string();
    let time = entry.at.rfc3339();
    let cells = [&time, request, &seq, &entry.event, &entry.actor, &detail, &entry.prev, &entry.hash];
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text)).collect();
    format!("{}\n", cells.join(","))
}

/// A cell that is text to every reader: nothing in it begins a formula, ends the line or moves a cursor.
fn cell(text: &str) -> String {
    let text = plain(text);
    let first = text.trim_start().chars().next();
    let formula = first.is_some_and(|c| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}|%".contains(c));
    let text = if formula { format!("'{text}") } else { text };
    // The `csv` crate quotes all fields or those that RFC 4180 wants quoted. Spreadsheets split at semicolons as well.
    if text.contains([',', '"', ';', '\'']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::audit::AuditEntry;
    use crate::time::Timestamp;

    fn with(actor: &str, reason: &str) -> String {
        let detail = BTreeMap::from([("reason".to_owned(), reason.to_owned())]);
        let entry = AuditEntry {
            seq: 1,
            at: Timestamp(1_764_000_000),
            event: "asked".to_owned(),
            actor: actor.to_owned(),
            detail,
            prev: "0".to_owned(),
            hash: "1".to_owned(),
        };
        line(&AuditRecord { request: "R".to_owned(), entry })
    }

    #[test]
    fn a_record_is_a_line_of_eight_cells() {
        insta::assert_snapshot!(with("T0001.U0ALICE", "a \"b\", c"), @r#"2025-11-24T16:00:00Z,R,1,asked,T0001.U0ALICE,"{""reason"":""a \""b\"", c""}",0,1"#);
        assert_eq!(HEAD.matches(',').count(), 7);
    }

    // T5.8
    #[test]
    fn csv_cell_is_no_formula_or_line_break() {
        let hostile = [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            " =1",
            "\t=1",
            "\r=1",
            "\n=1",
            "\u{ff1d}1",
            "|cmd",
            "a\n=1",
            "a\r\nb",
            "\u{1b}[2J",
            "\u{202e}x",
            "x;=1",
        ];
        for text in hostile {
            for line in [with(text, "x"), with("x", text)] {
                assert_eq!(line.matches('\n').count(), 1, "{line:?}");
                assert!(line.ends_with('\n'));
                assert!(!line.contains(['\r', '\t', '\u{1b}', '\u{202e}']), "{line:?}");
                for start in
                    [",=", ",+", ",-", ",@", ",\"=", ",\"+", ",\"-", ",\"@", ",|", ",\"|", ", ", ",\" "]
                {
                    assert!(!line.contains(start), "{text:?} gave {line:?}");
                }
            }
            assert!(!with("x", text).contains(';'), "{text:?}");
        }
    }

    #[test]
    fn csv_semicolon_reads_back() {
        let line = with("x", "a;b");
        let (_, rest) = line.split_once('"').unwrap();
        let json = rest.rsplit_once('"').unwrap().0.replace("\"\"", "\"");
        assert_eq!(serde_json::from_str::<BTreeMap<String, String>>(&json).unwrap()["reason"], "a;b");
    }
}
