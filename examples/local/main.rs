//! All of keyvend in one process, for whoever has nothing but Rust: `cargo run --example local`.
//! The three functions are the deployed ones; AWS and Slack are the stand-ins of the tests.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever started it")]
#![expect(clippy::indexing_slicing, reason = "what JSON lacks is null")]

mod chat;
mod console;
mod running;
mod scene;
mod server;
mod tour;

use std::process::ExitCode;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

use running::Running;

/// Where it listens unless told otherwise: the first of these that is free.
const PORTS: std::ops::Range<u16> = 4100..4200;

const USAGE: &str = "\
Usage: cargo run --example local -- [--port N] [--mail]
  --port N   listen on this port of 127.0.0.1 (without it: 4100, or the next free one)
  --mail     one-time links need a code by email from the start (the page's Mailbox switches this)";

#[derive(Debug, Default)]
struct Options {
    port: Option<u16>,
    mail: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("The example could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match LocalSet::new().block_on(&runtime, run(options)) {
        Ok(never) => match never {},
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// What the arguments ask for; `None` for the usage.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--mail" => options.mail = true,
            "--port" => {
                let port = arguments.next().unwrap_or_default();
                let number = port.parse().ok().filter(|port| *port > 0);
                let number = number.ok_or(format!("{port:?} is no port: write --port 4100."))?;
                options.port = Some(number);
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("{other:?} means nothing here.")),
        }
    }
    Ok(Some(options))
}

async fn run(options: Options) -> Result<std::convert::Infallible, String> {
    let listener = listen(options.port).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let running = Rc::new(Running::new(address.port(), options.mail).await);
    // As much as Slack itself takes: what is more comes some seconds later.
    running.world.net.slack().limit_rates();
    println!("{}", welcome(address.port(), options.mail));
    spawn_local(server::work(Rc::clone(&running)));
    Ok(server::serve(listener, running).await)
}

async fn listen(port: Option<u16>) -> Result<TcpListener, String> {
    let ports = port.map_or(PORTS, |port| port..port.saturating_add(1));
    let mut last = String::new();
    for port in ports {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                last =
                    format!("Port {port} of 127.0.0.1 is not available: {error}. Choose another with --port.")
            }
        }
    }
    Err(last)
}

fn welcome(port: u16, mail: bool) -> String {
    let scenes = tour::SCENES.iter().enumerate();
    let scenes: String = scenes.map(|(at, scene)| format!("  {}. {}\n", at + 1, scene.title)).collect();
    let code = if mail { "Links need a code by email" } else { "Links need no code" };
    format!(
        "All of keyvend in this process, with stand-ins for Slack and AWS.

    Open  http://127.0.0.1:{port}/

You are Alice, who owns the IAM user ci-deployer; on the left you can be somebody else. Begin with
  {first}
and then see, step by step on the right of the page:
{scenes}
{code}; the page's Mailbox shows the mail, and switches this.
Let time pass with the buttons at the top of the page.
Nothing here is real, and its data lives as long as this process: Ctrl-C ends both.",
        first = tour::FIRST
    )
}
