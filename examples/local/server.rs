//! HTTP on loopback: the chat page and its API, and the `reveal` function behind what a gateway does. What changes
//! anything is taken only from a page of this very server, or any web site could press buttons here.

use std::any::Any;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::spawn_local;

use super::chat::{self, NoSuchThing};
use super::running::Running;
use testkit::{form, gateway};

/// A gateway takes more, but nothing here needs it.
const MOST: usize = 300 * 1024;
/// How long a message waits in its queue at least, which is when one sees "Checking...".
const TICK: Duration = Duration::from_millis(500);
/// How often it is looked whether something became visible or a minute is to be swept, though nothing arrives.
const LOOK: Duration = Duration::from_secs(2);

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, running: Rc<Running>) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(TICK).await;
            continue;
        };
        let running = Rc::clone(&running);
        spawn_local(async move {
            let service = service_fn(|request| {
                let running = Rc::clone(&running);
                async move { Ok::<_, Infallible>(answer(running, request).await) }
            });
            // A browser that went away is nobody's trouble.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Works off what arrives, until the process ends.
pub async fn work(running: Rc<Running>) -> Infallible {
    loop {
        let seq = running.seq();
        // Something arrives, or it is time to look all the same.
        let _ = tokio::time::timeout(LOOK, running.wait(seq)).await;
        tokio::time::sleep(TICK).await;
        let running = Rc::clone(&running);
        // What panics has said so on stderr; the next message may fare better.
        let _ = spawn_local(async move { running.tick().await }).await;
    }
}

/// In a task of its own: a browser that goes away stops no function half-way, and what panics is an answer.
async fn answer(running: Rc<Running>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match spawn_local(route(running, request)).await {
        Ok(response) => response,
        Err(error) => {
            let what = if error.is_panic() { said(&*error.into_panic()) } else { "stopped".to_owned() };
            text(StatusCode::INTERNAL_SERVER_ERROR, &what)
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or("panicked".to_owned())
}

async fn route(running: Rc<Running>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    // Under another name than our own this is a page elsewhere whose name was made to lead here.
    if !ours(&running).any(|origin| is(&parts.headers, HOST, &origin.replace("http://", ""))) {
        return text(StatusCode::MISDIRECTED_REQUEST, "This server is on 127.0.0.1 and localhost only.");
    }
    let Ok(body) = Limited::new(body, MOST).collect().await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "This is too large.");
    };
    let body = body.to_bytes();
    let query = form::parse(parts.uri.query().unwrap_or_default());
    let asked =
        |name: &str| query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let path = parts.uri.path();
    match (&parts.method, path) {
        (&Method::GET | &Method::HEAD, "/") => {
            with(StatusCode::OK, "text/html; charset=utf-8", chat::PAGE.to_owned())
        }
        (&Method::GET, "/chat/state") => json(StatusCode::OK, &chat::state(&running, asked("as")).await),
        (&Method::GET, "/chat/wait") => {
            running.wait(asked("seq").parse().unwrap_or(0)).await;
            json(StatusCode::OK, &chat::state(&running, asked("as")).await)
        }
        (&Method::POST, path) if path.starts_with("/chat/") => {
            if let Err(response) = from_our_page(&running, &parts.headers) {
                return *response;
            }
            let (chat, body) = (&*running, &body);
            match path {
                "/chat/command" => done(body, async |typed| chat::command(chat, &typed).await).await,
                "/chat/press" => done(body, async |pressed| chat::press(chat, &pressed).await).await,
                "/chat/submit" => done(body, async |submitted| chat::submit(chat, &submitted).await).await,
                "/chat/choose" => done(body, async |chosen| chat::choose(chat, &chosen).await).await,
                "/chat/close" => done(body, async |closed| chat::close(chat, &closed).await).await,
                "/chat/say" => done(body, async |typed| chat::say(chat, &typed).await).await,
                "/chat/pass" => done(body, async |passing| chat::pass(chat, &passing).await).await,
                "/chat/mail" => done(body, async |mailing| chat::mail(chat, &mailing).await).await,
                _ => text(StatusCode::NOT_FOUND, "Not found."),
            }
        }
        (_, "/reveal" | "/reveal/claim" | "/reveal/ack") => {
            reveal(&running, &parts.method, path, &parts.headers, &body).await
        }
        _ => text(StatusCode::NOT_FOUND, "Not found."),
    }
}

/// The `reveal` function, with the request and the response as API Gateway would hand them on.
async fn reveal(
    running: &Running,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Full<Bytes>> {
    let Ok(body) = std::str::from_utf8(body) else {
        return text(StatusCode::BAD_REQUEST, "This is not UTF-8.");
    };
    let joined: Vec<(String, String)> = headers
        .keys()
        .map(|name| {
            let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            (name.to_string(), values.collect::<Vec<_>>().join(","))
        })
        .collect();
    let pairs: Vec<(&str, &str)> =
        joined.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let event = gateway::event(method.as_str(), path, &pairs, (!body.is_empty()).then_some(body));
    let answer =
        running.step(async |keyvend| keyvend.reveal.handle(event, keyvend.world.clock.now()).await).await;
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let (name, value) =
            (HeaderName::try_from(name), HeaderValue::try_from(value.as_str().unwrap_or_default()));
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The origins that this server has.
fn ours(running: &Running) -> impl Iterator<Item = String> {
    [running.origin.clone(), running.origin.replace("127.0.0.1", "localhost")].into_iter()
}

fn is(headers: &HeaderMap, name: HeaderName, expected: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    values.next().is_some_and(|value| value == expected) && values.next().is_none()
}

fn from_our_page(running: &Running, headers: &HeaderMap) -> Result<(), Box<Response<Full<Bytes>>>> {
    if !ours(running).any(|origin| is(headers, ORIGIN, &origin)) {
        return Err(Box::new(text(StatusCode::FORBIDDEN, "Only this server's own page may do that.")));
    }
    if !is(headers, CONTENT_TYPE, "application/json") {
        return Err(Box::new(text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "This address accepts application/json only.",
        )));
    }
    Ok(())
}

/// What came of doing what the body says.
async fn done<T: DeserializeOwned>(
    body: &[u8],
    act: impl AsyncFnOnce(T) -> Result<Value, NoSuchThing>,
) -> Response<Full<Bytes>> {
    let asked = match serde_json::from_slice(body) {
        Ok(asked) => asked,
        Err(error) => return text(StatusCode::BAD_REQUEST, &format!("Invalid request: {error}.")),
    };
    match act(asked).await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(NoSuchThing(what)) => json(StatusCode::NOT_FOUND, &json!({"error": what})),
    }
}

fn json(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    with(status, "application/json", body.to_string())
}

fn text(status: StatusCode, sentence: &str) -> Response<Full<Bytes>> {
    with(status, "text/plain; charset=utf-8", sentence.to_owned())
}

fn with(status: StatusCode, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    for (name, value) in [
        ("content-type", media_type),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
