//! The whole path, from a signed command to a key in a browser tab, and every way it can end before.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken test must stop")]

mod world;

#[path = "path/approvers.rs"]
mod approvers;
#[path = "path/approving.rs"]
mod approving;
#[path = "path/asking.rs"]
mod asking;
#[path = "path/changed.rs"]
mod changed;
#[path = "path/chooser.rs"]
mod chooser;
#[path = "path/claiming.rs"]
mod claiming;
#[path = "path/codes.rs"]
mod codes;
#[path = "path/collecting.rs"]
mod collecting;
#[path = "path/configured.rs"]
mod configured;
#[path = "path/daily.rs"]
mod daily;
#[path = "path/descriptions.rs"]
mod descriptions;
#[path = "path/details.rs"]
mod details;
#[path = "path/doubt.rs"]
mod doubt;
#[path = "path/expiring.rs"]
mod expiring;
#[path = "path/form.rs"]
mod form;
#[path = "path/groups.rs"]
mod groups;
#[path = "path/happy.rs"]
mod happy;
#[path = "path/issuing.rs"]
mod issuing;
#[path = "path/keys.rs"]
mod keys;
#[path = "path/late.rs"]
mod late;
#[path = "path/looking_up.rs"]
mod looking_up;
#[path = "path/organisation.rs"]
mod organisation;
#[path = "path/patterned.rs"]
mod patterned;
#[path = "path/people.rs"]
mod people;
#[path = "path/queues.rs"]
mod queues;
#[path = "path/reviving.rs"]
mod reviving;
#[path = "path/rotating.rs"]
mod rotating;
#[path = "path/rotation.rs"]
mod rotation;
#[path = "path/sending.rs"]
mod sending;
#[path = "path/signing.rs"]
mod signing;
#[path = "path/silence.rs"]
mod silence;
#[path = "path/slack_as_it_is.rs"]
mod slack_as_it_is;
#[path = "path/steps.rs"]
mod steps;
#[path = "path/stolen_reveal.rs"]
mod stolen_reveal;
#[path = "path/stolen_slack.rs"]
mod stolen_slack;
#[path = "path/stop.rs"]
mod stop;
#[path = "path/throttling.rs"]
mod throttling;
#[path = "path/timers.rs"]
mod timers;
#[path = "path/unattended.rs"]
mod unattended;
#[path = "path/written.rs"]
mod written;
