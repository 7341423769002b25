//! `shortfall serve`.

use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::bi::CALENDAR_YEAR;
use crate::lake::Lake;
use crate::serve::{Access, Limits, Request, ServeError, Server};
use serde_json::json;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a mebibyte.
const MEBIBYTE: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Address of the PostgreSQL wire. Anything but this machine needs a password and TLS.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5439")]
    pg: String,
    /// Address of Arrow Flight SQL, such as 127.0.0.1:32010; not served unless given. The same holds.
    #[arg(long, value_name = "ADDR")]
    flight: Option<String>,
    /// File whose first line is the password, for every user name, and the bearer token; `SHORTFALL_SERVE_PASSWORD` works too.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Certificate chain, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Connections at a time, for each of the two.
    #[arg(long, default_value_t = 100)]
    max_connections: usize,
    /// Memory of one query, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    max_memory: usize,
    /// Memory of all queries together, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    max_total_memory: usize,
    /// Rows that one query may return.
    #[arg(long, value_name = "ROWS", default_value_t = 5_000_000)]
    max_rows: u64,
    /// Seconds that one query may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    max_seconds: u64,
    /// Month in which the fiscal year begins.
    #[arg(long, value_name = "MONTH", default_value_t = CALENDAR_YEAR, env = "SHORTFALL_FISCAL_YEAR_START", value_parser = clap::value_parser!(u32).range(1..=12))]
    fiscal_year_start: u32,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let request = Request {
        address: address(&arguments.pg)?,
        flight: arguments.flight.as_deref().map(address).transpose()?,
        access: Access {
            password: password(arguments.password_file.as_deref())?,
            tls: arguments.tls_cert.clone().zip(arguments.tls_key.clone()),
        },
        limits: Limits {
            memory: arguments.max_memory.saturating_mul(MEBIBYTE),
            total_memory: arguments.max_total_memory.saturating_mul(MEBIBYTE),
            rows: arguments.max_rows,
            time: Duration::from_secs(arguments.max_seconds),
        },
        connections: arguments.max_connections,
        threads: context.threads,
        fiscal_start: arguments.fiscal_year_start,
    };
    context.runtime.block_on(async {
        let server = Server::bind(&lake, &request).await?;
        let shown = server.address().unwrap_or(request.address);
        if context.output == OutputFormat::Json {
            render::document(&json!({ "address": shown.to_string(), "database": "datafusion" }));
        }
        render::note(&format!(
            "PostgreSQL wire on {shown}, database `shortfall`, any user; schemas core, core_history, marts, bi"
        ));
        if let Some(flight) = server.flight_address() {
            let scheme = if request.access.tls.is_some() { "grpc+tls" } else { "grpc" };
            render::note(&format!("Arrow Flight SQL on {scheme}://{flight}"));
        }
        render::note("stop with Ctrl-C");
        let running = server.run(|error| render::note(&format!("the lake could not be read again: {error}")));
        tokio::select! {
            ended = running => ended?,
            () = stopped() => {
                // The lake's reader, stopped amid a call, complains when its runtime goes. Nothing here is left to be written.
                std::process::exit(Exit::Done.code().into())
            }
        }
        Ok::<_, Failure>(())
    })?;
    Ok(Exit::Done)
}

/// Ctrl-C, or what a service manager sends.
pub(super) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Failure> {
    let failed =
        |detail: String| Failure::usage(format!("`{text}` is no address to listen on: {detail}")).hint("such as 127.0.0.1:5439");
    let mut found = text.to_socket_addrs().map_err(|e| failed(e.to_string()))?;
    found.next().ok_or_else(|| failed("it names no host".to_owned()))
}

/// The password of the file, else of the environment; empty ones are none.
fn password(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = file else { return Ok(std::env::var("SHORTFALL_SERVE_PASSWORD").ok().filter(|text| !text.is_empty())) };
    let text = std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("could not read `{}`: {e}", path.display())))?;
    let first = text.lines().next().unwrap_or_default().to_owned();
    if first.is_empty() {
        return Err(Failure::usage(format!("`{}` begins with an empty line: no password", path.display())));
    }
    Ok(Some(first))
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Access(error) => Self::usage(error.to_string())
                .hint("`--password-file` and `--tls-cert`, `--tls-key`; or an address of this machine, such as 127.0.0.1:5439"),
            ServeError::Star(error) => error.into(),
            ServeError::Listen { .. } | ServeError::Transport(_) => Self::environment(error.to_string()),
        }
    }
}
