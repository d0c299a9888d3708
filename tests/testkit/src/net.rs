//! The only way out of the product: every HTTP call of its AWS clients and its Slack client ends here.
//! Calls are routed by host, recorded, and may be interfered with.

mod http;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{AsyncSleep, Credentials, SharedAsyncSleep, SharedCredentialsProvider, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use winterbaume_core::StatefulService as _;
use winterbaume_ses::SesService;

use crate::clock::Clock;
use crate::dynamo::Dynamo;
use crate::iam::Iam;
use crate::iam_rights::{self, Function};
use crate::net::http::{access_key, describe};
use crate::secrets::Secrets;
use crate::slack::Slack;
use crate::sqs::Sqs;
use crate::sts::Sts;

pub use crate::net::http::{Reply, Request, escape, winterbaume};

/// The account that keyvend runs in.
pub const HOME: &str = "123456789012";
/// The region that keyvend runs in.
pub const REGION: &str = "eu-west-1";

/// One HTTP call, as it was seen from outside the product.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which call this is, from 0.
    pub at: usize,
    /// `dynamodb`, `iam`, `sts`, `sqs`, `secretsmanager`, `ses`, `slack`.
    pub service: String,
    /// `UpdateItem`, `CreateAccessKey`, `chat.postMessage`, `response_url`.
    pub operation: String,
    /// The body: JSON as it is, a form as an object of texts.
    pub parameters: Value,
    /// Where it went.
    pub url: String,
    /// The access key that signed it, or the bearer token's first characters for Slack: empty without either.
    pub access_key: String,
    /// When it started and finished, on one counter for all calls: A ran before B if `A.finished < B.started`.
    pub started: u64,
    /// None while it runs and for a call whose caller was stopped.
    pub finished: Option<u64>,
    /// The HTTP status the caller saw; None if it saw none.
    pub status: Option<u16>,
    /// The HTTP status of what was done; None if nothing was.
    pub done: Option<u16>,
}

/// What happens to a call instead of passing.
#[derive(Clone, Debug)]
pub enum Interfere {
    /// Nothing.
    Pass,
    /// The connection fails before anything is done.
    FailBefore,
    /// It is done, then the connection fails.
    LoseReply,
    /// This is answered and nothing is done.
    Status(u16, String),
    /// Nothing is done and nothing is ever answered; the caller goes on when it has waited long enough.
    Silence,
    /// Nothing is done and the caller never runs again: its function was killed here. See [`Net::survive`].
    CrashBefore,
    /// It is done and the caller never runs again.
    CrashAfter,
}

impl Interfere {
    /// AWS refuses, in the JSON protocols (DynamoDB, SQS, Secrets Manager).
    pub fn refused_json(code: &str) -> Self {
        Self::Status(400, Reply::json_error(400, code, "refused by the test").body)
    }

    /// AWS refuses, in the query protocol (IAM, STS, SES).
    pub fn refused_xml(status: u16, code: &str) -> Self {
        Self::Status(status, Reply::xml_error(status, code, "refused by the test").body)
    }
}

type Matcher = Box<dyn Fn(&Call) -> bool + Send>;
type Hook = Box<dyn FnMut(&Call) -> Interfere + Send>;

/// Everything that answers. Cheap to clone; all clones are the same net.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    clock: Clock,
    calls: Mutex<Vec<Call>>,
    count: AtomicUsize,
    tick: AtomicU64,
    turns: AtomicUsize,
    faults: Mutex<Vec<(Matcher, Interfere)>>,
    hook: Mutex<Option<Hook>>,
    crashed: AtomicBool,
    dynamo: Dynamo,
    iam: Iam,
    sts: Sts,
    sqs: Sqs,
    secrets: Secrets,
    ses: SesService,
    slack: Slack,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

impl Net {
    /// A net over fresh models in which nothing is set up yet.
    pub fn new(clock: &Clock) -> Self {
        Self(Arc::new(Inner {
            clock: clock.clone(),
            calls: Mutex::default(),
            count: AtomicUsize::new(0),
            tick: AtomicU64::new(0),
            turns: AtomicUsize::new(1),
            faults: Mutex::default(),
            hook: Mutex::default(),
            crashed: AtomicBool::new(false),
            dynamo: Dynamo::new(clock),
            iam: Iam::new(clock),
            sts: Sts::new(clock),
            sqs: Sqs::new(clock),
            secrets: Secrets::new(clock),
            ses: SesService::new(),
            slack: Slack::new(clock),
        }))
    }

    /// The same net on another clock: everything that answers is as it is here, and from now on each goes its own way. It
    /// begins undisturbed.
    pub async fn fork(&self, clock: &Clock) -> Self {
        let net = &self.0;
        let ses = SesService::new();
        ses.restore(HOME, REGION, net.ses.snapshot(HOME, REGION).await).await.unwrap();
        Self(Arc::new(Inner {
            clock: clock.clone(),
            calls: Mutex::new(self.calls()),
            count: AtomicUsize::new(net.count.load(Ordering::SeqCst)),
            tick: AtomicU64::new(net.tick.load(Ordering::SeqCst)),
            turns: AtomicUsize::new(net.turns.load(Ordering::SeqCst)),
            faults: Mutex::default(),
            hook: Mutex::default(),
            crashed: AtomicBool::new(false),
            dynamo: net.dynamo.fork(clock).await,
            iam: net.iam.fork(clock).await,
            sts: net.sts.fork(clock),
            sqs: net.sqs.fork(clock),
            secrets: net.secrets.fork(clock).await,
            ses,
            slack: net.slack.fork(clock),
        }))
    }

    pub fn dynamo(&self) -> &Dynamo {
        &self.0.dynamo
    }

    pub fn iam(&self) -> &Iam {
        &self.0.iam
    }

    pub fn sts(&self) -> &Sts {
        &self.0.sts
    }

    pub fn sqs(&self) -> &Sqs {
        &self.0.sqs
    }

    pub fn slack(&self) -> &Slack {
        &self.0.slack
    }

    /// For `SdkConfig` and service clients.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// For a client that sends its own HTTP requests.
    pub fn connector(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }

    /// The configuration a function of keyvend runs with: its own role, no more rights than the design gives it.
    pub fn config(&self, function: Function) -> SdkConfig {
        self.config_of(function.access_key())
    }

    /// The configuration of an administrator of one account.
    pub fn admin(&self, account: &str) -> SdkConfig {
        self.config_of(&iam_rights::admin_key(account))
    }

    fn config_of(&self, access_key: &str) -> SdkConfig {
        let credentials = Credentials::new(access_key, "not-checked", None, None, "test world");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.http_client())
            .time_source(self.0.clock.clone())
            .sleep_impl(SharedAsyncSleep::new(Patience))
            .build()
    }

    /// Every call so far, in the order they started.
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap().clone()
    }

    /// The calls of one operation.
    pub fn calls_to(&self, service: &str, operation: &str) -> Vec<Call> {
        let calls = self.0.calls.lock().unwrap();
        calls.iter().filter(|call| call.service == service && call.operation == operation).cloned().collect()
    }

    /// The calls of one operation that were done and not refused, whether or not the caller learned of it.
    pub fn done(&self, service: &str, operation: &str) -> Vec<Call> {
        let good = |call: &Call| call.done.is_some_and(|status| status < 300);
        self.calls_to(service, operation).into_iter().filter(good).collect()
    }

    /// Forgets the calls so far; the counter goes on.
    pub fn forget(&self) {
        self.0.calls.lock().unwrap().clear();
    }

    /// A hook that sees every call before it is done. It replaces the one before; queued faults go first.
    pub fn before(&self, hook: impl FnMut(&Call) -> Interfere + Send + 'static) {
        *self.0.hook.lock().unwrap() = Some(Box::new(hook));
    }

    /// Takes the hook and the queued faults away.
    pub fn undisturbed(&self) {
        *self.0.hook.lock().unwrap() = None;
        self.0.faults.lock().unwrap().clear();
    }

    /// Interferes with the next call that matches, once.
    pub fn fault(&self, matches: impl Fn(&Call) -> bool + Send + 'static, action: Interfere) {
        self.0.faults.lock().unwrap().push((Box::new(matches), action));
    }

    /// Interferes with the next call of this operation, once.
    pub fn once(&self, service: &'static str, operation: &'static str, action: Interfere) {
        self.fault(move |call| call.service == service && call.operation == operation, action);
    }

    /// Interferes with the `nth` call from now (0 is the next), once.
    pub fn nth(&self, nth: usize, action: Interfere) {
        let at = self.0.count.load(Ordering::SeqCst) + nth;
        self.fault(move |call| call.at == at, action);
    }

    /// Runs a handler until it is done, or until a crash that a fault asked for: then None, and it is dropped.
    pub async fn survive<T>(&self, handler: impl Future<Output = T>) -> Option<T> {
        let mut handler = pin!(handler);
        poll_fn(|cx| match handler.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if self.0.crashed.swap(false, Ordering::SeqCst) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Every call takes so many turns from now on: where each takes as long, those made side by side overlap.
    pub fn takes(&self, turns: usize) {
        self.0.turns.store(turns, Ordering::SeqCst);
    }

    /// The length of the longest chain among `calls` in which each started after the one before had finished.
    pub fn steps(calls: &[Call]) -> usize {
        let mut depths: Vec<usize> = Vec::new();
        for call in calls {
            let before = calls
                .iter()
                .zip(&depths)
                .filter(|(other, _)| other.finished.is_some_and(|f| f < call.started));
            depths.push(1 + before.map(|(_, depth)| *depth).max().unwrap_or(0));
        }
        depths.into_iter().max().unwrap_or(0)
    }

    fn tick(&self) -> u64 {
        self.0.tick.fetch_add(1, Ordering::SeqCst)
    }

    fn interference(&self, call: &Call) -> Interfere {
        let mut faults = self.0.faults.lock().unwrap();
        if let Some(index) = faults.iter().position(|(matches, _)| matches(call)) {
            return faults.remove(index).1;
        }
        drop(faults);
        self.0.hook.lock().unwrap().as_mut().map_or(Interfere::Pass, |hook| hook(call))
    }

    async fn answer(self, request: Request) -> Result<HttpResponse, ConnectorError> {
        let call = self.record(&request);
        let at = call.at;
        // Calls made side by side take turns, so that a race is a race here too, and always the same one.
        for _ in 0..self.0.turns.load(Ordering::SeqCst) {
            yield_now().await;
        }
        let lost = |text: &str| Err(ConnectorError::io(text.to_owned().into()));
        let reply = match self.interference(&call) {
            Interfere::Pass => self.route(&request, &call).await,
            Interfere::FailBefore => {
                self.finish(at, None);
                return lost("connection refused");
            }
            Interfere::LoseReply => {
                self.route(&request, &call).await;
                self.finish(at, None);
                return lost("connection reset by peer");
            }
            Interfere::Status(status, body) => Reply { status, headers: Vec::new(), body },
            Interfere::Silence => return std::future::pending().await,
            Interfere::CrashBefore => return self.crash().await,
            Interfere::CrashAfter => {
                self.route(&request, &call).await;
                return self.crash().await;
            }
        };
        self.finish(at, Some(reply.status));
        let mut response = HttpResponse::new(reply.status.try_into().unwrap(), SdkBody::from(reply.body));
        for (name, value) in reply.headers {
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }

    async fn crash(&self) -> Result<HttpResponse, ConnectorError> {
        self.0.crashed.store(true, Ordering::SeqCst);
        std::future::pending().await
    }

    fn record(&self, request: &Request) -> Call {
        let (service, operation, parameters) = describe(request);
        let mut calls = self.0.calls.lock().unwrap();
        let started = self.tick();
        let access_key = access_key(request);
        let call = Call {
            at: self.0.count.fetch_add(1, Ordering::SeqCst),
            service,
            operation,
            parameters,
            url: request.url.clone(),
            access_key,
            started,
            finished: None,
            status: None,
            done: None,
        };
        calls.push(call.clone());
        call
    }

    fn finish(&self, at: usize, status: Option<u16>) {
        let tick = self.tick();
        let mut calls = self.0.calls.lock().unwrap();
        // A call that was forgotten while it ran stays forgotten.
        if let Some(call) = calls.iter_mut().find(|call| call.at == at) {
            call.finished = Some(tick);
            call.status = status;
        }
    }

    async fn route(&self, request: &Request, call: &Call) -> Reply {
        let reply = self.dispatch(request, call).await;
        let mut calls = self.0.calls.lock().unwrap();
        if let Some(own) = calls.iter_mut().find(|own| own.at == call.at) {
            own.done = Some(reply.status);
        }
        reply
    }

    async fn dispatch(&self, request: &Request, call: &Call) -> Reply {
        let net = &self.0;
        if call.service == "slack" {
            return net.slack.answer(request, call);
        }
        if let Err(denied) = iam_rights::check(call) {
            return denied;
        }
        match call.service.as_str() {
            "dynamodb" => net.dynamo.answer(&call.operation, &call.parameters).await,
            "iam" => net.iam.answer(request, call, &net.sts).await,
            "sts" => net.sts.answer(request, call, &net.iam).await,
            "sqs" => net.sqs.answer(&call.operation, &call.parameters),
            "secretsmanager" => net.secrets.answer(request, &call.operation, &call.parameters).await,
            "ses" => winterbaume(&net.ses, request).await,
            other => panic!("nothing answers for {other} ({})", request.url),
        }
    }
}

impl HttpConnector for Net {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = Request {
            method: request.method().to_owned(),
            url: request.uri().to_owned(),
            headers: request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: request.body().bytes().expect("a body in memory").to_vec(),
        };
        HttpConnectorFuture::new(self.clone().answer(request))
    }
}

impl HttpClient for Net {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.connector()
    }
}

/// Lets every other future of the task run once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The SDK's sleep: a pause before a retry is over as soon as all else has had many turns, so that a time-out,
/// which is a race against this, strikes only what never answers.
#[derive(Debug)]
struct Patience;

impl AsyncSleep for Patience {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(async {
            for _ in 0..1000 {
                yield_now().await;
            }
        })
    }
}
