//! Whether an audit trail is whole: pure, from records in any order. Every record has the hash of its contents and
//! names the one before it; no place in a chain is empty or taken twice; and a chain reaches at least as far as
//! checkpoints and the chains' items in table `Requests` say, which know every chain. A trail that fits together may still have lost its newest records:
//! that shows an anchor, which is a checkpoint's hash kept elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::aws::{KnownEnd, UnreadableRecord};
use crate::domain::audit::{AuditEntry, AuditRecord};
use crate::id::RequestId;
use crate::time::Timestamp;

/// What a checkpoint's entries are called: the last one of a day closes it.
const CHECKPOINTS: [&str; 2] = ["audit.checkpoint", "audit.checkpoint_closed"];

/// The first record of a chain that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The chain: a request's id, mostly.
    pub request: String,
    /// The record's place in it.
    pub seq: u32,
    /// What is wrong with it.
    #[serde(flatten)]
    pub what: RecordProblem,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum RecordProblem {
    /// It is not there, though later ones are, or something names it or a later one.
    Missing {
        /// What names it, where no later record of the chain does.
        #[serde(skip_serializing_if = "Option::is_none")]
        named_by: Option<By>,
    },
    /// There is another one in this place, or there is no such place.
    Twice,
    /// It cannot be read.
    Unreadable {
        /// What it lacks.
        lacks: String,
    },
    /// Its contents do not have its hash: they were changed.
    Changed,
    /// Its contents have its hash in another place: it was moved.
    Moved {
        /// The chain it belongs to.
        from_request: String,
        /// Its place there.
        from_seq: u32,
    },
    /// It names another record before it than the one that is there: one of the two was replaced.
    DoesNotFollow,
    /// It is not the one that was written: something names another hash in its place.
    Replaced {
        /// What does.
        named_by: By,
    },
    /// It may be the last one or not: the chain's item in table `Requests`, which says so, cannot be read.
    EndUnknown,
    /// It comes after the end of a chain to which nothing is ever added.
    AfterEnd,
    /// It begins a chain that table `Requests` does not know.
    UnknownChain,
    /// A checkpoint that names the end of a chain in a way that cannot be read.
    BadHead {
        /// The chain that it means.
        name: String,
    },
}

/// What says of a chain how far it reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A checkpoint, by its place in its chain.
    Checkpoint(u32),
    /// The chain's item in table `Requests`: the request's own, or that of a chain about no request.
    Requests,
}

/// The checkpoint that an anchor is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anchored {
    /// Its place among the checkpoints.
    pub seq: u32,
    /// When it was written.
    pub at: Timestamp,
}

/// A trail as far as it was read: of each record what verifying takes.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    chains: BTreeMap<String, Vec<ChainEntry>>,
    checkpoints: Vec<Checkpoint>,
    ends: Vec<End>,
    known: BTreeSet<String>,
    problems: BTreeMap<String, Problem>,
    pub(crate) records: usize,
}

/// A chain's end, as something other than the chain names it.
#[derive(Debug)]
struct End {
    request: String,
    /// Place and hash; none where they cannot be read.
    at: Option<(u32, String)>,
    by: By,
    /// Whether nothing may follow.
    closed: bool,
}

#[derive(Debug)]
struct ChainEntry {
    seq: u32,
    prev: String,
    hash: String,
    /// Whether it is a checkpoint's.
    checkpoint: bool,
    state: LinkState,
}

#[derive(Debug)]
enum LinkState {
    Genuine,
    /// With its contents, to find out where they belong.
    Changed(Box<AuditEntry>),
    Unreadable(String),
}

#[derive(Debug)]
struct Checkpoint {
    seq: u32,
    at: Timestamp,
    hash: String,
}

impl Trail {
    /// Takes a record in.
    pub(crate) fn add(&mut self, record: AuditRecord) {
        let AuditRecord { request, entry } = record;
        self.records += 1;
        let genuine = entry.computed_hash_in(&request) == entry.hash;
        let checkpoint = CHECKPOINTS.contains(&entry.event.as_str());
        if checkpoint {
            self.take_heads(&request, &entry);
            let AuditEntry { seq, at, .. } = entry;
            self.checkpoints.push(Checkpoint { seq, at, hash: entry.hash.clone() });
        }
        let link = ChainEntry {
            seq: entry.seq,
            prev: entry.prev.clone(),
            hash: entry.hash.clone(),
            checkpoint,
            state: if genuine { LinkState::Genuine } else { LinkState::Changed(Box::new(entry)) },
        };
        self.chains.entry(request).or_default().push(link);
    }

    /// Takes in that there is something that is no record.
    pub(crate) fn unreadable(&mut self, found: UnreadableRecord) {
        let UnreadableRecord { request, seq, lacks } = found;
        self.records += 1;
        let state = LinkState::Unreadable(lacks.to_owned());
        let (seq, prev, hash) = (seq.unwrap_or(0), String::new(), String::new());
        let link = ChainEntry { seq, prev, hash, checkpoint: false, state };
        self.chains.entry(request).or_default().push(link);
    }

    /// Takes in how far a chain reaches at least.
    pub(crate) fn known_end(&mut self, known: KnownEnd) {
        let KnownEnd { request, end, closed } = known;
        self.known.insert(request.clone());
        // Place 0: nothing of it is known to be there yet.
        if end.as_ref().is_none_or(|(seq, _)| *seq > 0) {
            self.ends.push(End { request, at: end, by: By::Requests, closed });
        }
    }

    /// The chains of which no end was read from table `Requests`. The checkpoints have an item of their own.
    pub(crate) fn unknown_chains(&self) -> Vec<String> {
        let unknown = self.chains.iter().filter(|(chain, links)| {
            !self.known.contains(*chain) && !links.iter().all(|link| link.checkpoint)
        });
        unknown.map(|(chain, _)| chain.clone()).collect()
    }

    /// Takes in that table `Requests` does not know a chain.
    pub(crate) fn unknown_chain(&mut self, chain: String) {
        self.problem(Problem { request: chain, seq: 1, what: RecordProblem::UnknownChain });
    }

    /// The ends of chains that a checkpoint names: `<request id>` -> `<seq>:<hash>`.
    fn take_heads(&mut self, chain: &str, entry: &AuditEntry) {
        for (name, value) in &entry.detail {
            if name.parse::<RequestId>().is_err() {
                continue;
            }
            let end = value.split_once(':').and_then(|(seq, hash)| Some((seq.parse::<u32>().ok()?, hash)));
            match end {
                Some((seq @ 1.., hash)) => {
                    let (at, by) = (Some((seq, hash.to_owned())), By::Checkpoint(entry.seq));
                    self.ends.push(End { request: name.clone(), at, by, closed: false });
                }
                Some((0, _)) | None => self.problem(Problem {
                    request: chain.to_owned(),
                    seq: entry.seq,
                    what: RecordProblem::BadHead { name: name.clone() },
                }),
            }
        }
    }

    /// Keeps the first problem of each chain.
    fn problem(&mut self, problem: Problem) {
        match self.problems.get_mut(&problem.request) {
            Some(known) if known.seq <= problem.seq => {}
            Some(known) => *known = problem,
            None => drop(self.problems.insert(problem.request.clone(), problem)),
        }
    }

    /// How many chains, and how many checkpoints.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.chains.len(), self.checkpoints.len())
    }

    /// The checkpoint of this hash.
    pub(crate) fn anchored(&self, hash: &str) -> Option<Anchored> {
        let found = self.checkpoints.iter().find(|checkpoint| checkpoint.hash == hash)?;
        Some(Anchored { seq: found.seq, at: found.at })
    }

    /// The first record of each chain that does not fit, in the order of the chains' names.
    pub(crate) fn problems(mut self) -> Vec<Problem> {
        for links in self.chains.values_mut() {
            links.sort_by_key(|link| link.seq);
        }
        let places = self.places();
        let broken: Vec<Problem> = self
            .chains
            .iter()
            .filter_map(|(request, links)| {
                let (seq, what) = self.first_invalid(request, links, &places)?;
                Some(Problem { request: request.clone(), seq, what })
            })
            .collect();
        broken.into_iter().for_each(|problem| self.problem(problem));
        let lacking: Vec<Problem> = self.ends.iter().filter_map(|end| self.lacks(end)).collect();
        lacking.into_iter().for_each(|problem| self.problem(problem));
        self.problems.into_values().collect()
    }

    fn first_invalid(
        &self,
        request: &str,
        links: &[ChainEntry],
        places: &Places<'_>,
    ) -> Option<(u32, RecordProblem)> {
        let mut prev = "0".repeat(64);
        for (expected, link) in (1u32..).zip(links) {
            if link.seq > expected {
                return Some((expected, RecordProblem::Missing { named_by: None }));
            }
            let what = match &link.state {
                LinkState::Unreadable(lacks) => Some(RecordProblem::Unreadable { lacks: lacks.clone() }),
                LinkState::Changed(_) | LinkState::Genuine if link.seq < expected => {
                    Some(RecordProblem::Twice)
                }
                LinkState::Changed(entry) => Some(self.belongs_to(request, entry, places)),
                LinkState::Genuine if link.prev != prev => Some(RecordProblem::DoesNotFollow),
                LinkState::Genuine => None,
            };
            if let Some(what) = what {
                return Some((link.seq, what));
            }
            prev.clone_from(&link.hash);
        }
        None
    }

    /// By hash, where a record of it belongs, as those after it and the ends that are named say.
    fn places(&self) -> Places<'_> {
        let followers = self.chains.iter().flat_map(|(request, links)| {
            links.iter().map(move |link| (link.prev.as_str(), (request.as_str(), link.seq.saturating_sub(1))))
        });
        let ends = self.ends.iter().filter_map(|end| {
            let (seq, hash) = end.at.as_ref()?;
            Some((hash.as_str(), (end.request.as_str(), *seq)))
        });
        followers.chain(ends).collect()
    }

    /// Where the contents of a record that do not have its hash would have it, as far as that can be found out.
    fn belongs_to(&self, request: &str, entry: &AuditEntry, places: &Places<'_>) -> RecordProblem {
        let own = self.chains.get(request).map_or(0, Vec::len);
        let own = (1..=u32::try_from(own).unwrap_or(u32::MAX).saturating_add(1)).map(|seq| (request, seq));
        let elsewhere = places.get(entry.hash.as_str()).copied();
        let mut moved = entry.clone();
        for (chain, seq) in elsewhere.into_iter().chain(own) {
            moved.seq = seq;
            if moved.computed_hash_in(chain) == entry.hash {
                return RecordProblem::Moved { from_request: chain.to_owned(), from_seq: seq };
            }
        }
        RecordProblem::Changed
    }

    /// What a chain lacks of an end that is named for it.
    fn lacks(&self, end: &End) -> Option<Problem> {
        let links = self.chains.get(&end.request).map_or(&[][..], Vec::as_slice);
        let last = links.last().map_or(0, |link| link.seq);
        let problem = |seq, what| Some(Problem { request: end.request.clone(), seq, what });
        let Some((seq, hash)) = &end.at else { return problem(last, RecordProblem::EndUnknown) };
        let by = end.by.clone();
        match links.iter().find(|link| link.seq == *seq) {
            Some(link) if link.hash == *hash && end.closed && last > *seq => {
                problem(seq.saturating_add(1), RecordProblem::AfterEnd)
            }
            Some(link) if link.hash == *hash => None,
            Some(_) => problem(*seq, RecordProblem::Replaced { named_by: by }),
            None => problem(last.saturating_add(1).min(*seq), RecordProblem::Missing { named_by: Some(by) }),
        }
    }
}

type Places<'t> = BTreeMap<&'t str, (&'t str, u32)>;
