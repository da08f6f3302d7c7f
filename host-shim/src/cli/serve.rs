//! `endcap-host serve`.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::options::{Guest, Options};
use super::{Failure, tell};
use crate::serve::{self, Worker};

/// Serve a component over HTTP on this machine: POST /v1/FUNCTION with a JSON body.
///
/// For local work: one instance, no TLS, no authentication. Ctrl-C lets requests finish and ends it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
    /// Address and port; port 0 lets the system choose, and the first line printed says which.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let host = args.options.host()?;
    let Guest::Component(service) = args.options.guest(&host)? else {
        return Err(Failure::Input(anyhow::anyhow!(
            "{} is a core module, which has no functions to serve: give a component",
            args.options.wasm.display()
        )));
    };
    let worker = Worker::start(&service, args.options.model()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::System(error.into()))?;
    runtime.block_on(async {
        let bound = TcpListener::bind(args.listen).await.and_then(|listener| {
            // Before the line that says "listening": whoever waits for it may signal at once.
            let stops = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            Ok((listener.local_addr()?, listener, stops))
        });
        let (address, listener, (mut interrupt, mut terminate)) =
            bound.map_err(|error| Failure::Input(anyhow::anyhow!("{}: {error}", args.listen)))?;
        tell(&format_args!("listening on http://{address}, {} functions", service.functions().len()));
        serve::serve(listener, worker, async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
        .await;
        Ok(())
    })
}
