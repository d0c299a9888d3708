//! The operator's tool.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Parser as _;
use keyvend::aws::{Trust, https_connector};
use keyvend::cli::output::failure::no_random;
use keyvend::cli::{self, Cli, CommandContext, ExitStatus};
use keyvend::config::ProcessEnvironment;
use keyvend::functions::runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut random = [0; 32];
    if let Err(error) = getrandom::fill(&mut random) {
        eprintln!("{}", no_random(&error.to_string()));
        return ExitCode::from(ExitStatus::Failed.status());
    }
    let place = CommandContext {
        environment: &ProcessEnvironment,
        sdk: None,
        connector: https_connector(Trust::System),
        now: runtime::now(),
        random,
        out: &mut io::stdout().lock(),
        err: &mut io::stderr(),
        watched: io::stderr().is_terminal(),
    };
    ExitCode::from(cli::run(cli, place).await.status())
}
