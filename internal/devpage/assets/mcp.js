// A client of MCP over streamable HTTP that is small and honest: what it is told, it shows.

export class Client {
  #url; #secrets; #session = ""; #version = ""; #modern = false; #last = 0;

  constructor(url, secrets) {
    this.#url = url;
    this.#secrets = secrets;
  }

  // open introduces us: with a session, or, to a server that knows none, without.
  async open() {
    const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: who };
    const answer = await this.call("initialize", hello);
    if (!answer.message.error) {
      this.#version = answer.message.result.protocolVersion;
      await this.#post({ jsonrpc: "2.0", method: "notifications/initialized" });
      return;
    }
    this.#modern = true;
    this.#version = "2026-07-28";
    const found = await this.call("server/discover", {});
    if (found.message.error) throw new Error(answer.message.error.message);
  }

  // tools lists all tools, page by page.
  async tools() {
    const tools = [];
    const seen = new Set();
    for (let cursor; ;) {
      const { message } = await this.call("tools/list", cursor === undefined ? {} : { cursor });
      if (message.error) throw new Error(message.error.message);
      tools.push(...(message.result.tools ?? []));
      cursor = message.result.nextCursor;
      if (cursor === undefined || seen.has(cursor)) return tools;
      seen.add(cursor);
    }
  }

  // call sends a request and returns its answer, the answer's text, and how long it took. params may
  // be JSON already, for numbers that JavaScript would round. progress is called with what is told
  // of it. name and args, the tool and its arguments in headers, are for 2026-07-28.
  async call(method, params, { progress, name, args } = {}) {
    const id = ++this.#last;
    let text = typeof params === "string" ? params : JSON.stringify(params);
    const meta = {};
    if (progress) meta.progressToken = id;
    if (this.#modern) {
      meta["io.modelcontextprotocol/protocolVersion"] = this.#version;
      meta["io.modelcontextprotocol/clientInfo"] = who;
      meta["io.modelcontextprotocol/clientCapabilities"] = {};
    }
    if (Object.keys(meta).length > 0) {
      text = `{"_meta":${JSON.stringify(meta)}${text === "{}" ? "" : ","}${text.slice(1)}`;
    }
    const start = performance.now();
    const response = await this.#send(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${text}}`, method, {
      ...(this.#modern ? { "Mcp-Method": method, ...(name === undefined ? {} : { "Mcp-Name": encoded(name) }), ...args } : {}),
    });
    for await (const said of messages(response)) {
      const message = JSON.parse(said);
      if (message.id === id && !message.method) {
        return { message, text: said, took: performance.now() - start };
      }
      if (message.method === "notifications/progress") progress?.(message.params);
      if (message.method && message.id !== undefined) {
        await this.#post(message.method === "ping" ? { jsonrpc: "2.0", id: message.id, result: {} }
          : { jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "this page does not support that" } });
      }
    }
    throw new Error("the stream ended before the answer");
  }

  get modern() { return this.#modern; }

  // close ends the session, even while the page goes away.
  async close() {
    if (this.#session === "") return;
    const headers = this.#headers();
    this.#session = "";
    await fetch(this.#url, { method: "DELETE", headers, keepalive: true }).catch(() => {}); // it idles out
  }

  async #post(message) { await this.#send(JSON.stringify(message), message.method ?? ""); }

  async #send(body, method, headers = {}) {
    const response = await fetch(this.#url, {
      method: "POST", body,
      headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream", ...this.#headers(), ...headers },
    });
    if (method === "initialize") this.#session = response.headers.get("Mcp-Session-Id") ?? "";
    const kind = response.headers.get("Content-Type") ?? "";
    if (!response.ok && (response.status === 404 || response.status === 401 || response.status === 403 || !kind.includes("json"))) {
      throw new Failure(response.status, await response.text());
    }
    return response;
  }

  #headers() {
    const headers = { ...this.#secrets };
    if (this.#version !== "") headers["Mcp-Protocol-Version"] = this.#version;
    if (this.#session !== "") headers["Mcp-Session-Id"] = this.#session;
    return headers;
  }
}

// encoded is a text as a header field may carry it.
export const encoded = (text) => (/^[!-~](?:[ -~]*[!-~])?$/.test(text) && !text.startsWith("=?base64?") ? text
  : `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`);

const who = { name: "mcpfunc-dev-page", version: "1" };

// A Failure is an answer below MCP.
export class Failure extends Error {
  constructor(status, body) {
    let said = body;
    try {
      const { error } = JSON.parse(body);
      said = error?.message ?? body;
    } catch { /* it is no JSON, and says what it says */ }
    super(`HTTP ${status}: ${said.slice(0, 300)}`);
    this.status = status;
  }
}

// messages are the messages of an answer, each as its text: one as JSON, or several as events.
async function* messages(response) {
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
    yield await response.text();
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  for (; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "" && data.length > 0) {
        const text = data.join("\n");
        data = [];
        if (text.trim() !== "") yield text;
      } else if (line.startsWith("data:")) {
        data.push(line.slice(5).replace(/^ /, ""));
      }
    }
  }
}
