//! SQS FIFO queues as keyvend uses them: groups in order, deduplication for five minutes, visibility, receive
//! counts, dead letters. Time is the world's.
//! Sources: the SQS developer guide, "FIFO queues" and "Using the message deduplication ID", and Lambda's
//! "Using Lambda with Amazon SQS" for the event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use keyvend::time::Timestamp;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::clock::Clock;
use crate::net::{HOME, REGION, Reply};

/// The queues, by the name the design gives them.
pub const SLACK: &str = "slack";
pub const CLAIMS: &str = "claims";
pub const DUE: &str = "due";
pub const SWEEP: &str = "sweep";
/// All of them, in the order a driver looks at them.
pub const QUEUES: [&str; 4] = [SLACK, CLAIMS, SWEEP, DUE];

const VISIBILITY: i64 = 60;
const MAX_RECEIVES: u32 = 6;
const DEDUPLICATION: i64 = 300;
/// A message may be hidden for twelve hours at most.
const LONGEST: i64 = 43_200;

pub fn url(queue: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{HOME}/keyvend-{queue}.fifo")
}

pub fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{HOME}:keyvend-{queue}.fifo")
}

/// A message in a queue or among its dead letters.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub group: String,
    pub deduplication: String,
    pub sequence: u64,
    pub sent: Timestamp,
    pub visible: Timestamp,
    pub receives: u32,
    receipt: Option<String>,
}

impl Message {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Clone, Debug, Default)]
struct Queue {
    messages: Vec<Message>,
    dead: Vec<Message>,
    seen: BTreeMap<String, (Timestamp, String, u64)>,
}

#[derive(Clone, Debug, Default)]
struct RequestState {
    queues: BTreeMap<String, Queue>,
    sequence: u64,
    receipts: u64,
    ticks: u64,
}

/// The model.
#[derive(Debug)]
pub struct Sqs {
    clock: Clock,
    state: Mutex<RequestState>,
    /// How many messages of the next batch are not taken.
    refused: Mutex<usize>,
}

impl Sqs {
    pub fn new(clock: &Clock) -> Self {
        let queues = QUEUES.iter().map(|name| ((*name).to_owned(), Queue::default())).collect();
        Self {
            clock: clock.clone(),
            state: Mutex::new(RequestState { queues, ..RequestState::default() }),
            refused: Mutex::default(),
        }
    }

    /// The same queues, on another clock.
    pub fn fork(&self, clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            state: Mutex::new(self.state.lock().unwrap().clone()),
            refused: Mutex::default(),
        }
    }

    /// One message that is visible at `now`, as the event Lambda would invoke the function with.
    /// A group with a message in flight gives none; a message received six times goes to the dead letters.
    pub fn receive(&self, queue: &str, now: Timestamp) -> Option<Value> {
        let mut state = self.state.lock().unwrap();
        state.receipts += 1;
        let receipt = format!("receipt-{}", state.receipts);
        let found = state.queues.get_mut(queue).unwrap();
        let index = loop {
            let mut groups = BTreeSet::new();
            let index = found
                .messages
                .iter()
                .position(|message| groups.insert(&message.group) && message.visible <= now)?;
            if found.messages[index].receives < MAX_RECEIVES {
                break index;
            }
            let dead = found.messages.remove(index);
            found.dead.push(dead);
        };
        let message = &mut found.messages[index];
        message.receives += 1;
        message.visible = now + seconds(VISIBILITY);
        message.receipt = Some(receipt.clone());
        Some(json!({"Records": [{
            "messageId": message.id,
            "receiptHandle": receipt,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": message.receives.to_string(),
                "SentTimestamp": format!("{}000", message.sent.0),
                "SequenceNumber": message.sequence.to_string(),
                "MessageGroupId": message.group,
                "SenderId": "AROAWORLD:keyvend",
                "MessageDeduplicationId": message.deduplication,
                "ApproximateFirstReceiveTimestamp": format!("{}000", now.0),
            },
            "messageAttributes": {},
            "md5OfBody": md5(&message.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": arn(queue),
            "awsRegion": REGION,
        }]}))
    }

    /// What Lambda does after the function answered: a message that did not fail is deleted, another stays
    /// hidden until its visibility ends. A receipt whose visibility has ended deletes nothing: false.
    pub fn finish(&self, queue: &str, receipt: &str, success: bool) -> bool {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let messages = &mut state.queues.get_mut(queue).unwrap().messages;
        let held = messages
            .iter()
            .position(|message| message.receipt.as_deref() == Some(receipt) && message.visible > now);
        match held {
            Some(index) if success => {
                messages.remove(index);
                true
            }
            held => held.is_some(),
        }
    }

    /// Sends the dead letters back, as new messages: fresh sequence, receive count and sent time, as a redrive
    /// does, which is why no age may be read from those.
    pub fn redrive(&self, queue: &str) -> usize {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let dead = std::mem::take(&mut state.queues.get_mut(queue).unwrap().dead);
        let count = dead.len();
        for message in dead {
            state.sequence += 1;
            let sequence = state.sequence;
            let message =
                Message { sequence, sent: now, visible: now, receives: 0, receipt: None, ..message };
            state.queues.get_mut(queue).unwrap().messages.push(message);
        }
        count
    }

    /// When the next message of the queue can be received; at or before now means at once.
    pub fn next_visible(&self, queue: &str) -> Option<Timestamp> {
        let state = self.state.lock().unwrap();
        let mut groups = BTreeSet::new();
        let messages = state.queues[queue].messages.iter();
        messages.filter(|message| groups.insert(&message.group)).map(|message| message.visible).min()
    }

    /// What is in the queue, in flight or not.
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        self.state.lock().unwrap().queues[queue].messages.clone()
    }

    /// What was given up.
    pub fn dead(&self, queue: &str) -> Vec<Message> {
        self.state.lock().unwrap().queues[queue].dead.clone()
    }

    /// What the per-minute EventBridge rule puts on `sweep`: its whole event, deduplicated by content.
    pub fn sweep(&self) {
        let now = self.clock.now();
        let ticks = {
            let mut state = self.state.lock().unwrap();
            state.ticks += 1;
            state.ticks
        };
        let body = json!({
            "version": "0",
            "id": format!("00000000-0000-0000-0000-{ticks:012}"),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": HOME,
            "time": now.rfc3339(),
            "region": REGION,
            "resources": [format!("arn:aws:events:{REGION}:{HOME}:rule/keyvend-sweep")],
            "detail": {},
        });
        self.put(SWEEP, &body.to_string(), "sweep", None).unwrap();
    }

    pub fn answer(&self, operation: &str, input: &Value) -> Reply {
        let queue_url = input["QueueUrl"].as_str().unwrap_or_default();
        let Some(queue) = QUEUES.into_iter().find(|queue| url(queue) == queue_url) else {
            return error("QueueDoesNotExist", "The specified queue does not exist.");
        };
        let result = match operation {
            "SendMessage" => self.send(queue, input),
            "SendMessageBatch" => self.send_batch(queue, input),
            "ChangeMessageVisibility" => self.change_visibility(queue, input),
            other => Err(("InvalidAction", format!("the test world knows no {other}"))),
        };
        result.map_or_else(|(code, message)| error(code, &message), |output| Reply::json(200, &output))
    }

    fn send(&self, queue: &str, input: &Value) -> Result<Value, Refused> {
        let text = |name: &str| input[name].as_str();
        if !input["DelaySeconds"].is_null() {
            return invalid("DelaySeconds is not valid for a message of a FIFO queue");
        }
        let group = text("MessageGroupId").ok_or((
            "MissingParameter",
            "The request must contain the parameter MessageGroupId.".to_owned(),
        ))?;
        let body = text("MessageBody").unwrap_or_default();
        let (id, sequence) = self.put(queue, body, group, text("MessageDeduplicationId"))?;
        Ok(json!({"MessageId": id, "MD5OfMessageBody": md5(body), "SequenceNumber": sequence.to_string()}))
    }

    /// Up to ten messages, each by itself: what is wrong with one is said of that one.
    fn send_batch(&self, queue: &str, input: &Value) -> Result<Value, Refused> {
        let entries = input["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() {
            return Err(("EmptyBatchRequest", "The batch request doesn't contain any entries.".to_owned()));
        }
        if entries.len() > 10 {
            let most = "The batch request contains more entries than permissible.";
            return Err(("TooManyEntriesInBatchRequest", most.to_owned()));
        }
        let ids: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["Id"].as_str()).collect();
        if ids.len() < entries.len() {
            let distinct = "Two or more batch entries in the request have the same Id.";
            return Err(("BatchEntryIdsNotDistinct", distinct.to_owned()));
        }
        let refused = std::mem::take(&mut *self.refused.lock().unwrap());
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            let sent = if index < refused {
                Err(("InternalError", "The test refuses this one.".to_owned()))
            } else {
                self.send(queue, entry)
            };
            match sent {
                Ok(mut sent) => {
                    sent["Id"] = entry["Id"].clone();
                    successful.push(sent);
                }
                Err((code, message)) => {
                    let sender_fault = code != "InternalError";
                    failed.push(json!({
                        "Id": entry["Id"], "Code": code, "Message": message, "SenderFault": sender_fault,
                    }));
                }
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    /// The queue takes so many of the next batch's messages not.
    pub fn refuse_of_batch(&self, messages: usize) {
        *self.refused.lock().unwrap() = messages;
    }

    fn put(
        &self,
        queue: &str,
        body: &str,
        group: &str,
        explicit: Option<&str>,
    ) -> Result<(String, u64), Refused> {
        if body.is_empty() || body.len() > 1_048_576 {
            return invalid("a message body has 1 byte to 1 MiB");
        }
        let allowed = |c: char| matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        if !body.chars().all(allowed) {
            return Err(("InvalidMessageContents", "invalid characters".to_owned()));
        }
        if !id_text(group) {
            return invalid(
                "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length",
            );
        }
        let deduplication = match explicit {
            Some(id) if id_text(id) => id.to_owned(),
            Some(_) => {
                return invalid(
                    "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length",
                );
            }
            None if queue == SWEEP => hex(&Sha256::digest(body)),
            None => {
                return invalid(
                    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
                );
            }
        };
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let next = state.sequence + 1;
        let found = state.queues.get_mut(queue).unwrap();
        if let Some((at, id, sequence)) = found.seen.get(&deduplication)
            && now.since(*at) < DEDUPLICATION
        {
            return Ok((id.clone(), *sequence));
        }
        let id = format!("11111111-0000-0000-0000-{next:012}");
        found.seen.insert(deduplication.clone(), (now, id.clone(), next));
        found.messages.push(Message {
            id: id.clone(),
            body: body.to_owned(),
            group: group.to_owned(),
            deduplication,
            sequence: next,
            sent: now,
            visible: now,
            receives: 0,
            receipt: None,
        });
        state.sequence = next;
        Ok((id, next))
    }

    fn change_visibility(&self, queue: &str, input: &Value) -> Result<Value, Refused> {
        let receipt = input["ReceiptHandle"].as_str().unwrap_or_default();
        let hidden = input["VisibilityTimeout"].as_i64().unwrap_or(-1);
        if !(0..=LONGEST).contains(&hidden) {
            return invalid("VisibilityTimeout must be between 0 and 43200");
        }
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        if !receipt.starts_with("receipt-") {
            return Err(("ReceiptHandleIsInvalid", "The input receipt handle is invalid.".to_owned()));
        }
        let messages = &mut state.queues.get_mut(queue).unwrap().messages;
        let Some(message) = messages.iter_mut().find(|message| message.receipt.as_deref() == Some(receipt))
        else {
            return invalid(
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
            );
        };
        if message.visible <= now {
            return Err(("MessageNotInflight", "The message is not in flight.".to_owned()));
        }
        message.visible = now + seconds(hidden);
        Ok(json!({}))
    }
}

type Refused = (&'static str, String);

fn invalid<T>(message: &str) -> Result<T, Refused> {
    Err(("InvalidParameterValue", message.to_owned()))
}

/// The JSON protocol names the shape; beside it a header carries the code of the old query protocol, which is what
/// the SDK goes by.
fn error(code: &str, message: &str) -> Reply {
    let query_code = match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight",
        other => other,
    };
    let mut reply = Reply::json_error(400, &format!("com.amazonaws.sqs#{code}"), message);
    reply.headers.push(("x-amzn-query-error".to_owned(), format!("{query_code};Sender")));
    reply
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn id_text(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap())
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
