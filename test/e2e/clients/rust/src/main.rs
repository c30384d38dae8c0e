//! A client of rmcp, the Rust SDK, that plays one scenario against one MCP endpoint.
//!
//!     client URL SCENARIO [ARG...]
//!
//! It prints a JSON line a check ({"check", "ok", "detail"}) and exits 0 only if every one passed. The
//! scenarios are those of clients/typescript/client.mjs of the same names.
#![allow(deprecated)] // logging and subscriptions, which the servers have

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rmcp::{
    ClientHandler, RoleClient, ServiceExt,
    model::*,
    service::{NotificationContext, PeerRequestOptions, RunningService},
    transport::StreamableHttpClientTransport,
};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(20); // for anything that a server announces by itself
const URI: &str = "demo://resource/dynamic/text/1";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the server has said by itself.
#[derive(Default)]
struct Heard {
    progress: Vec<(ProgressToken, f64, Option<f64>)>,
    logs: Vec<Value>,
    updates: Vec<String>,
}

#[derive(Clone, Default)]
struct Client(Arc<Mutex<Heard>>);

impl ClientHandler for Client {
    fn get_info(&self) -> ClientInfo {
        ClientInfo::new(
            ClientCapabilities::default(),
            Implementation::new("mcpfunc-e2e-rust", "1"),
        )
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let said = (params.progress_token, params.progress, params.total);
        self.0.lock().unwrap().progress.push(said);
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.0.lock().unwrap().logs.push(params.data);
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.0.lock().unwrap().updates.push(params.uri);
    }
}

/// The outcomes of the checks so far.
#[derive(Default)]
struct Checks(bool);

impl Checks {
    fn check(&mut self, name: &str, ok: bool, detail: impl std::fmt::Debug) {
        self.0 |= !ok;
        let detail: String = format!("{detail:?}").chars().take(2000).collect();
        println!("{}", json!({"check": name, "ok": ok, "detail": detail}));
    }
}

type Session = RunningService<RoleClient, Client>;

fn arguments(value: Value) -> JsonObject {
    value.as_object().cloned().unwrap_or_default()
}

fn text(result: &CallToolResult) -> String {
    let parts = result.content.iter();
    let texts: Vec<&str> = parts.filter_map(|c| c.as_text()).map(|t| t.text.as_str()).collect();
    texts.join("\n")
}

async fn call(session: &Session, tool: &str, args: Value) -> Result<String, Failure> {
    let params = CallToolRequestParams::new(tool.to_string()).with_arguments(arguments(args));
    let result = session.call_tool(params).await?;
    if result.is_error == Some(true) {
        return Err(format!("{tool}: {}", text(&result)).into());
    }
    Ok(text(&result))
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) -> Result<(), Failure> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > WAIT {
            return Err(format!("{what}: nothing after {WAIT:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn basics(s: &Session, c: &mut Checks) -> Result<(), Failure> {
    let name = s.peer_info().map(|info| format!("{info:?}"));
    c.check("the server names itself", name.is_some(), name);
    let tools = s.list_all_tools().await?;
    c.check("tools/list has echo", tools.iter().any(|t| t.name == "echo"), tools.len());
    let message = "grüße, 世界 \u{1F600} \u{2028} \"quoted\"";
    let echoed = call(s, "echo", json!({"message": message})).await?;
    c.check("tools/call echoes the text", echoed == format!("Echo: {message}"), echoed);
    Ok(())
}

async fn concurrent(s: &Session, c: &mut Checks) -> Result<(), Failure> {
    let mut calls = Vec::new();
    for i in 0..20 {
        let peer = s.peer().clone();
        calls.push(tokio::spawn(async move {
            let args = arguments(json!({"message": format!("message {i}")}));
            peer.call_tool(CallToolRequestParams::new("echo").with_arguments(args)).await
        }));
    }
    for (i, one) in calls.into_iter().enumerate() {
        let echoed = text(&one.await??);
        let own = echoed == format!("Echo: message {i}");
        c.check("20 calls in flight each get their own answer", own, echoed);
    }
    Ok(())
}

async fn progress(s: &Session, c: &mut Checks) -> Result<(), Failure> {
    let params = CallToolRequestParams::new("trigger-long-running-operation")
        .with_arguments(arguments(json!({"duration": 1, "steps": 5})));
    let request = ClientRequest::CallToolRequest(Request::new(params));
    let handle = s.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let token = handle.progress_token.clone();
    let ServerResult::CallToolResult(result) = handle.await_response().await? else {
        return Err("the answer is no result of a tool".into());
    };
    c.check("the answer follows", text(&result).contains("completed"), text(&result));
    let heard = s.service().0.clone();
    until("progress", || heard.lock().unwrap().progress.len() >= 5).await?;
    let seen: Vec<(f64, Option<f64>)> =
        heard.lock().unwrap().progress.iter().filter(|p| p.0 == token).map(|p| (p.1, p.2)).collect();
    let want: Vec<(f64, Option<f64>)> = (1..=5).map(|i| (f64::from(i), Some(5.0))).collect();
    c.check("five notifications arrive in order", seen == want, seen);
    Ok(())
}

async fn logging(s: &Session, c: &mut Checks) -> Result<(), Failure> {
    let heard = s.service().0.clone();
    let told = |word: &str| {
        let heard = heard.lock().unwrap();
        heard.logs.iter().filter(|data| data.to_string().contains(word)).count()
    };
    s.set_level(SetLevelRequestParams::new(LoggingLevel::Debug)).await?;
    s.subscribe(SubscribeRequestParams::new(URI)).await?;
    until("a log message", || told("Received Subscribe") > 0).await?;
    let got = told("Received Subscribe");
    c.check("a message at the level arrives once", got == 1, got);
    s.set_level(SetLevelRequestParams::new(LoggingLevel::Emergency)).await?;
    s.unsubscribe(UnsubscribeRequestParams::new(URI)).await?;
    call(s, "echo", json!({"message": "after"})).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let got = told("Received Unsubscribe");
    c.check("one below the level does not", got == 0, got);
    Ok(())
}

async fn subscription(s: &Session, c: &mut Checks) -> Result<(), Failure> {
    let heard = s.service().0.clone();
    s.subscribe(SubscribeRequestParams::new(URI)).await?;
    call(s, "toggle-subscriber-updates", json!({})).await?;
    until("resources/updated", || !heard.lock().unwrap().updates.is_empty()).await?;
    let updates = heard.lock().unwrap().updates.clone();
    c.check("an update names the resource", updates.iter().all(|uri| uri == URI), updates);
    s.unsubscribe(UnsubscribeRequestParams::new(URI)).await?;
    call(s, "toggle-subscriber-updates", json!({})).await?;
    Ok(())
}

async fn one_call(s: &Session, c: &mut Checks, args: &[String]) -> Result<(), Failure> {
    let [tool, given, want] = args else {
        return Err("call wants a tool, its arguments and a text".into());
    };
    let tools = s.list_all_tools().await?;
    c.check("tools/list has it", tools.iter().any(|t| t.name == tool.as_str()), tool);
    let answer = call(s, tool, serde_json::from_str(given)?).await?;
    c.check("it answers", answer.contains(want.as_str()), answer);
    Ok(())
}

async fn play(url: &str, scenario: &str, args: &[String], c: &mut Checks) -> Result<(), Failure> {
    let session = Client::default().serve(StreamableHttpClientTransport::from_uri(url)).await?;
    match scenario {
        "basics" => basics(&session, c).await?,
        "concurrent" => concurrent(&session, c).await?,
        "progress" => progress(&session, c).await?,
        "logging" => logging(&session, c).await?,
        "subscription" => subscription(&session, c).await?,
        "call" => one_call(&session, c, args).await?,
        _ => return Err(format!("no scenario {scenario}").into()),
    }
    let start = Instant::now();
    session.cancel().await?; // which sends DELETE
    c.check("the session ends at once", start.elapsed() < Duration::from_secs(5), start.elapsed());
    Ok(())
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, scenario, rest @ ..] = args.as_slice() else {
        eprintln!("usage: client URL SCENARIO [ARG...]");
        return 2.into();
    };
    let mut c = Checks::default();
    match play(url, scenario, rest, &mut c).await {
        Ok(()) => c.check("every step was reached", true, ()),
        Err(failure) => c.check(&format!("{scenario} runs to its end"), false, failure),
    }
    u8::from(c.0).into()
}
