//! Texts about a question of an approver and its answer. Both are quoted, escaped, on a line of their own.

use crate::domain::request::{KeyRequest, Question};
use crate::render::text::{iam_user, person, reason};

/// The title of the form in which an approver asks.
pub const QUESTION_TITLE: &str = "Ask the requester";
/// Below the question.
pub const QUESTION_HINT: &str = "The requester and the other approvers read this.";
/// The title of the form in which the requester answers.
pub const ANSWER_TITLE: &str = "Answer the question";
/// Below the answer.
pub const ANSWER_HINT: &str = "The approvers read this.";

/// To the approver who asked.
pub const QUESTION_SENT: &str =
    "Your question was sent to the requester. The answer appears in the thread of the card.";
/// To the requester who answered.
pub const ANSWER_SENT: &str = "Your answer was sent to the approvers.";
/// To an approver who could not approve this request.
pub const ONLY_REVIEWERS_ASK: &str =
    "Only people who were approvers when this request was submitted can ask about it, and not the requester.";
/// As many questions as a request may have.
pub const ENOUGH_QUESTIONS: &str =
    "This request has as many questions as it can have. Write to the requester, or decide it.";

/// To the requester: a question, with what it is about.
#[must_use]
pub fn asks_you(request: &KeyRequest, question: &Question) -> String {
    format!(
        "{} has a question about your request for {} (`{}`):\n{}\nYour request was:\n{}",
        person(&question.by),
        iam_user(&request.details.user, &request.details.account),
        request.id,
        reason(question.text.as_str()),
        reason(&request.details.reason)
    )
}

/// In the card's thread: what was asked.
#[must_use]
pub fn asked_in_thread(request: &KeyRequest, question: &Question) -> String {
    format!(
        "{} asked {}:\n{}",
        person(&question.by),
        person(&request.details.requester),
        reason(question.text.as_str())
    )
}

/// The same with its answer.
#[must_use]
pub fn answered_in_thread(request: &KeyRequest, question: &Question, answer: &str) -> String {
    let asked = asked_in_thread(request, question);
    format!("{asked}\n{} answered:\n{}", person(&request.details.requester), reason(answer))
}

/// What the requester is about to answer.
#[must_use]
pub fn to_answer(question: &Question) -> String {
    format!("{} asks:\n{}", person(&question.by), reason(question.text.as_str()))
}

/// It was answered, or nobody waits for an answer any more.
#[must_use]
pub fn not_to_answer(standing: &str) -> String {
    format!("This question needs no answer any more. {standing}")
}
