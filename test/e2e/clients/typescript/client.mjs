// A client of the TypeScript SDK that plays one scenario against one MCP endpoint.
//
//   node client.mjs URL SCENARIO [ARG...]
//
// It prints a JSON line a check ({"check", "ok", "detail"}) and exits 0 only if every one passed. The
// scenarios speak the dialect of server-everything (its tool names and texts); "call" works with any
// server. clients/python/client.py plays the same ones, so a difference between the two is a finding.
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const tools = process.env.MCPFUNC_E2E_TOOLS || join(homedir(), ".cache", "mcpfunc-e2e");
const require = createRequire(join(tools, "npm", "package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = require("@modelcontextprotocol/sdk/types.js");

const WAIT = 20_000; // for anything that a server announces by itself

let failed = 0;
let checks = 0;

function check(name, ok, detail) {
  checks++;
  if (!ok) failed++;
  const text = detail === undefined ? undefined : typeof detail === "string" ? detail : JSON.stringify(detail);
  console.log(JSON.stringify({ check: name, ok: Boolean(ok), detail: text?.slice(0, 2000) }));
}

// Peer is a connected client that records what the server sends and answers what the server asks.
class Peer {
  roots = [{ uri: "file:///srv/first", name: "first root" }];
  logs = [];
  updates = [];
  sampled = [];
  elicited = [];
  errors = [];

  static async connect(url, roots) {
    const peer = new Peer();
    if (roots) peer.roots = roots;
    peer.client = new Client(
      { name: "mcpfunc-e2e-typescript", version: "1" },
      { capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } } },
    );
    peer.client.onerror = (error) => void peer.errors.push(String(error));
    peer.client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots: peer.roots }));
    peer.client.setRequestHandler(types.CreateMessageRequestSchema, ({ params }) => {
      peer.sampled.push(params);
      return { role: "assistant", model: "e2e-model", stopReason: "endTurn", content: { type: "text", text: "because" } };
    });
    peer.client.setRequestHandler(types.ElicitRequestSchema, ({ params }) => {
      peer.elicited.push(params);
      return { action: "accept", content: { name: "Ada", check: true, integer: 7 } };
    });
    peer.client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => void peer.logs.push(params));
    peer.client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, ({ params }) => void peer.updates.push(params));
    peer.transport = new StreamableHTTPClientTransport(new URL(url));
    await peer.client.connect(peer.transport);
    return peer;
  }

  get id() {
    return this.transport.sessionId;
  }

  async call(name, args = {}, options) {
    const result = await this.client.callTool({ name, arguments: args }, undefined, options);
    return (result.content ?? []).map((part) => part.text ?? "").join("\n");
  }

  async has(name) {
    return (await this.client.listTools()).tools.some((tool) => tool.name === name);
  }

  // Ends the session as a tidy client does: DELETE, then close.
  async end() {
    check("nothing came that the client could not place", this.errors.length === 0, this.errors);
    await this.transport.terminateSession();
    await this.client.close();
  }
}

async function until(what, condition) {
  const deadline = Date.now() + WAIT;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what}: nothing after ${WAIT / 1000} s`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

const scenarios = {
  async basics(url) {
    const peer = await Peer.connect(url);
    check("the server names itself", peer.client.getServerVersion()?.name, peer.client.getServerVersion());
    check("there is a session id", peer.id, peer.id);
    check("tools/list has echo", await peer.has("echo"));
    const text = "grüße, 世界 \u{1F600} \u2028 \"quoted\"";
    const echoed = await peer.call("echo", { message: text });
    check("tools/call echoes the text", echoed === `Echo: ${text}`, echoed);
    await peer.client.ping();
    check("ping is answered", true);
    await peer.end();
  },

  async concurrent(url) {
    const peer = await Peer.connect(url);
    const wanted = Array.from({ length: 20 }, (_, i) => `message ${i}`);
    const got = await Promise.all(wanted.map((message) => peer.call("echo", { message })));
    check("20 calls in flight each get their own answer", got.every((text, i) => text === `Echo: ${wanted[i]}`), got);
    await peer.end();
  },

  async progress(url) {
    const peer = await Peer.connect(url);
    const seen = [];
    const text = await peer.call("trigger-long-running-operation", { duration: 1, steps: 5 }, { onprogress: (p) => seen.push(p) });
    check("five notifications arrive in order before the answer", JSON.stringify(seen.map((p) => [p.progress, p.total])) === "[[1,5],[2,5],[3,5],[4,5],[5,5]]", seen);
    check("the answer follows", text.includes("completed"), text);
    await peer.end();
  },

  async cancellation(url) {
    const peer = await Peer.connect(url);
    const abort = new AbortController();
    const started = Date.now();
    let error;
    try {
      await peer.call("trigger-long-running-operation", { duration: 30, steps: 60 }, { signal: abort.signal, onprogress: () => abort.abort("enough") });
    } catch (caught) {
      error = caught;
    }
    check("a cancelled call ends at once", error && Date.now() - started < 10_000, String(error));
    const echoed = await peer.call("echo", { message: "still here" });
    check("the session goes on", echoed === "Echo: still here", echoed);
    if (await peer.has("cancelled-operations")) {
      const count = await until("cancelled-operations", async () => Number(await peer.call("cancelled-operations")));
      check("the server saw the cancellation", count === 1, String(count));
    }
    peer.errors = []; // a server may still answer what was cancelled, and the SDK has forgotten the request
    await peer.end();
  },

  async sampling(url) {
    const peer = await Peer.connect(url);
    const text = await peer.call("trigger-sampling-request", { prompt: "why is that so?", maxTokens: 7 });
    check("the client was asked once, with the prompt", peer.sampled.length === 1 && JSON.stringify(peer.sampled[0]).includes("why is that so?"), peer.sampled);
    check("the limit came through", peer.sampled[0]?.maxTokens === 7, peer.sampled[0]);
    check("its answer reached the server", text.includes("because") && text.includes("e2e-model"), text);
    await peer.end();
  },

  async elicitation(url) {
    const peer = await Peer.connect(url);
    const text = await peer.call("trigger-elicitation-request");
    check("the client was asked once, with a schema", peer.elicited.length === 1 && peer.elicited[0].requestedSchema?.properties?.name, peer.elicited);
    check("its answer reached the server", text.includes("Name: Ada") && text.includes("Favorite Integer: 7"), text);
    await peer.end();
  },

  async roots(url) {
    const peer = await Peer.connect(url);
    const first = await peer.call("get-roots-list");
    check("the server lists the client's root", first.includes("file:///srv/first") && first.includes("first root"), first);
    peer.roots = [...peer.roots, { uri: "file:///srv/second", name: "second root" }];
    await peer.client.sendRootsListChanged();
    const second = await until("roots/list_changed", async () => {
      const text = await peer.call("get-roots-list");
      return text.includes("file:///srv/second") && text;
    });
    check("it asks again when they change", second.includes("file:///srv/first"), second);
    await peer.end();
  },

  async logging(url) {
    const peer = await Peer.connect(url);
    const uri = "demo://resource/dynamic/text/1";
    const told = (word) => peer.logs.filter((log) => String(log.data).includes(word)).length;
    await peer.client.setLoggingLevel("debug");
    await peer.client.subscribeResource({ uri });
    await until("a log message", () => told("Received Subscribe"));
    check("a message at the level arrives once", told("Received Subscribe") === 1, peer.logs);
    await peer.client.setLoggingLevel("emergency");
    await peer.client.unsubscribeResource({ uri });
    await peer.call("echo", { message: "after" });
    await new Promise((wake) => setTimeout(wake, 300));
    check("one below the level does not", told("Received Unsubscribe") === 0, peer.logs);
    await peer.end();
  },

  async subscription(url) {
    const peer = await Peer.connect(url);
    const uri = "demo://resource/dynamic/text/1";
    await peer.client.subscribeResource({ uri });
    await peer.call("toggle-subscriber-updates");
    await until("resources/updated", () => peer.updates.length);
    check("an update names the resource", peer.updates.every((update) => update.uri === uri), peer.updates);
    const { contents } = await peer.client.readResource({ uri });
    check("the resource can be read", contents?.[0]?.uri === uri && contents[0].text, contents);
    await peer.client.unsubscribeResource({ uri });
    await peer.call("toggle-subscriber-updates");
    await peer.end();
  },

  async isolation(url) {
    const [a, b] = await Promise.all([
      Peer.connect(url, [{ uri: "file:///home/a", name: "a" }]),
      Peer.connect(url, [{ uri: "file:///home/b", name: "b" }]),
    ]);
    check("two clients have two session ids", a.id && b.id && a.id !== b.id, [a.id, b.id]);
    const [ofA, ofB] = await Promise.all([a.call("get-roots-list"), b.call("get-roots-list")]);
    check("each sees its own roots only", ofA.includes("/home/a") && !ofA.includes("/home/b") && ofB.includes("/home/b") && !ofB.includes("/home/a"), [ofA, ofB]);
    if (await a.has("pid")) {
      const pids = [await a.call("pid"), await b.call("pid")];
      check("each has its own process", pids[0] !== pids[1], pids);
    }
    const ended = a.id;
    await a.end();
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-session-id": ended, "mcp-protocol-version": "2025-06-18" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
    });
    check("an ended session is 404", answer.status === 404, `HTTP ${answer.status}: ${await answer.text()}`);
    const echoed = await b.call("echo", { message: "untouched" });
    check("its end does not touch the other", echoed === "Echo: untouched", echoed);
    await b.end();
  },

  async big(url) {
    const peer = await Peer.connect(url);
    const unit = "0123456789 äöü 漢字 \u{1F600}\n";
    const message = unit.repeat(Math.floor((3 << 20) / Buffer.byteLength(unit)));
    const echoed = await peer.call("echo", { message });
    check("3 MiB come back byte for byte", echoed === `Echo: ${message}`, `${echoed.length} characters of ${message.length + 6}`);
    await peer.end();
  },

  // call URL call TOOL ARGUMENTS-AS-JSON EXPECTED: any server, one call.
  async call(url, tool, args, expected) {
    const peer = await Peer.connect(url);
    check("the server names itself", peer.client.getServerVersion()?.name, peer.client.getServerVersion());
    check(`tools/list has ${tool}`, await peer.has(tool));
    const text = await peer.call(tool, JSON.parse(args));
    check(`${tool} answers`, text.includes(expected), text);
    await peer.end();
  },
};

const [url, name, ...rest] = process.argv.slice(2);
if (!scenarios[name]) {
  console.error(`usage: client.mjs URL ${Object.keys(scenarios).join("|")} [ARG...]`);
  process.exit(2);
}
try {
  await scenarios[name](url, ...rest);
  check("every step was reached", checks > 0);
} catch (error) {
  check(`${name} runs to its end`, false, error?.stack ?? String(error));
}
process.exit(failed ? 1 : 0);
