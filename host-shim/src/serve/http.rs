//! Connections, routes, and the end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::{Refusal, guest_status};
use super::worker::Worker;

/// Longest body: a thousand events of a kilobyte each.
const MAX_BODY: usize = 1 << 20;
/// Longest time for a request to arrive, head or body: a slow sender holds a place.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Longest time for the requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(5);
/// Connections at once: far more than calls may wait.
const MAX_CONNECTIONS: usize = 256;
/// Pause after an accept that failed, such as for want of file descriptors: trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Answered = Response<Full<Bytes>>;

/// Serves `worker` on `listener` until `stop`, then lets the requests under way finish.
pub async fn serve(listener: TcpListener, worker: Worker, stop: impl Future<Output = ()>) {
    let worker = Arc::new(worker);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        let (place, Ok((stream, _))) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection = graceful.watch(connection(stream, Arc::clone(&worker)));
        tokio::spawn(async move {
            // A connection that breaks concerns its client alone.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    // What does not finish in time is cut off with the runtime.
    let _ = timeout(DRAIN, graceful.shutdown()).await;
}

fn connection(
    stream: TcpStream,
    worker: Arc<Worker>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Answers are small and whole: waiting to fill a packet only delays them.
    let _: io::Result<()> = stream.set_nodelay(true);
    http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(ARRIVAL).serve_connection(
        TokioIo::new(stream),
        service_fn(move |request| {
            let worker = Arc::clone(&worker);
            async move { Ok::<_, Infallible>(answer(&worker, request).await) }
        }),
    )
}

async fn answer(worker: &Worker, request: Request<Incoming>) -> Answered {
    match route(worker, request).await {
        Ok((status, body)) => respond(status, body),
        Err(refusal) => {
            let mut response = respond(refusal.status(), refusal.to_json().to_string());
            if let Refusal::Method { allowed, .. } = refusal {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            response
        }
    }
}

async fn route(worker: &Worker, request: Request<Incoming>) -> Result<(StatusCode, String), Refusal> {
    let (head, body) = request.into_parts();
    let require = |allowed: &'static str| {
        if head.method.as_str() == allowed {
            return Ok(());
        }
        Err(Refusal::Method { method: head.method.to_string(), allowed })
    };
    match head.uri.path() {
        "/healthz" => {
            require("GET")?;
            Ok((StatusCode::OK, json!({ "status": "ok" }).to_string()))
        }
        "/v1" => {
            require("GET")?;
            Ok((StatusCode::OK, functions(worker).to_string()))
        }
        path => {
            let name = path.strip_prefix("/v1/").filter(|name| !name.is_empty()).ok_or(Refusal::Path)?;
            require("POST")?;
            let body = timeout(ARRIVAL, read(body))
                .await
                .map_err(|_| Refusal::Slow { seconds: ARRIVAL.as_secs() })??;
            let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
            let answer = worker.call(name.to_owned(), body).await?;
            if answer.is_ok {
                return Ok((StatusCode::OK, answer.json));
            }
            let error: Value = serde_json::from_str(&answer.json)?;
            Ok((guest_status(&error), json!({ "error": error }).to_string()))
        }
    }
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLong { limit: MAX_BODY }),
        Err(error) => Err(Refusal::Unreadable(error.to_string())),
    }
}

fn functions(worker: &Worker) -> Value {
    let functions = worker.service().functions().iter().map(|function| {
        json!({
            "name": function.name(),
            "interface": function.interface(),
            "signature": function.signature(),
        })
    });
    json!({ "functions": functions.collect::<Vec<_>>() })
}

fn respond(status: StatusCode, json: String) -> Answered {
    let mut response = Response::new(Full::new(Bytes::from(json)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
