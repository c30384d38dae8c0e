// The tools of a server, with a form to call each: a session of MCP like any other's.
import { Client, Failure, encoded } from "/?dev=mcp.js";
import { el, fields } from "/?dev=form.js";

// tools fills a section with the tools of the server at path, to which every request carries these headers.
export function tools(section, path, needed) {
  let client;
  const secrets = needed.map((header) => ({
    header, scheme: header === "Authorization" ? "Bearer " : "",
    input: el("input", { type: "password", autocomplete: "off", id: `${header}-${path}` }),
  }));
  const connect = el("button", { type: "button", className: "main connect" }, "List tools");
  const end = el("button", { type: "button", hidden: true }, "End session");
  const status = el("p", { role: "status", className: "muted" });
  const list = el("ul", { className: "choices" });
  const detail = el("div", { className: "tool" });
  const split = el("div", { className: "split", hidden: true }, list, detail);
  section.append(
    ...secrets.map(({ header, input }) => el("div", { className: "field" },
      el("label", { for: input.id }, header === "Authorization" ? "Token" : header), input, el("p", { className: "hint" }, "Stays on this page."))),
    el("div", { className: "bar" }, connect, end, status), split);

  async function open() {
    await client?.close();
    const filled = secrets.filter(({ input }) => input.value.trim() !== "");
    client = new Client(path, Object.fromEntries(filled.map(({ header, scheme, input }) => [header, scheme + input.value.trim()])));
    await client.open();
  }

  // withSession does something in a session that is there: one that has ended, as all do when the app
  // is rebuilt, is opened again.
  async function withSession(what) {
    if (!client) await open();
    try {
      return await what(client);
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 404) throw error;
      await open();
      return what(client);
    }
  }

  function drop() {
    client = undefined;
    end.hidden = true;
  }

  connect.addEventListener("click", async () => {
    connect.disabled = true;
    status.className = "muted";
    status.textContent = "Starting…";
    try {
      const found = await withSession((c) => c.tools());
      status.textContent = found.length === 0 ? "The server has no tools." : `${found.length} ${found.length === 1 ? "tool" : "tools"}`;
      connect.textContent = "List again";
      end.hidden = client.modern;
      split.hidden = found.length === 0;
      const buttons = found.map((tool) => el("button", { type: "button", title: String(tool.title ?? "") }, String(tool.name)));
      const choose = (i) => {
        buttons.forEach((button, j) => button.setAttribute("aria-current", String(i === j)));
        detail.replaceChildren(...form(found[i], withSession));
      };
      buttons.forEach((button, i) => button.addEventListener("click", () => choose(i)));
      list.replaceChildren(...buttons.map((button) => el("li", {}, button)));
      if (found.length > 0) choose(0);
    } catch (error) {
      drop();
      status.className = "bad";
      status.textContent = error.message;
    } finally {
      connect.disabled = false;
    }
  });
  end.addEventListener("click", async () => {
    const ending = client;
    drop();
    await ending?.close();
    status.textContent = "Session ended";
  });
  document.addEventListener("rerun", drop); // its sessions went with the app
  addEventListener("pagehide", () => client?.close());
}

// form returns the nodes of one tool.
function form(tool, withSession) {
  const { nodes, read } = fields(tool.inputSchema);
  const call = el("button", { type: "submit", className: "main" }, "Call");
  const status = el("p", { role: "status", className: "muted" });
  const result = el("div", { className: "result" });
  const node = el("form", { noValidate: true, "aria-label": `Call ${tool.name}` }, ...nodes, el("div", { className: "bar" }, call, status));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = read();
    if (text === undefined) {
      status.className = "bad";
      status.textContent = "Some arguments are invalid.";
      return;
    }
    call.disabled = true;
    status.className = "muted";
    status.textContent = "Calling…";
    result.replaceChildren();
    try {
      const answer = await withSession((c) => c.call("tools/call", `{"name":${JSON.stringify(tool.name)},"arguments":${text}}`, {
        progress: (p) => { status.textContent = [p.total === undefined ? `${p.progress}` : `${p.progress} of ${p.total}`, p.message].filter(Boolean).join(": "); },
        name: tool.name,
        args: repeated(tool.inputSchema, JSON.parse(text)),
      }));
      const bad = Boolean(answer.message.error || answer.message.result?.isError);
      status.className = bad ? "bad" : "good";
      status.textContent = `${bad ? "Error" : "Done"} in ${answer.took.toFixed(1)} ms`;
      result.replaceChildren(...answerOf(answer));
    } catch (error) {
      status.className = "bad";
      status.textContent = error.message;
    } finally {
      call.disabled = false;
    }
  });
  const about = tool.description ? el("p", { className: "multiline" }, String(tool.description)) : undefined;
  return [el("div", {}, ...(about ? [about] : []), node), result];
}

// repeated are the header fields for the arguments that the schema wants there (2026-07-28).
function repeated(schema, args) {
  const headers = {};
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    const header = property?.["x-mcp-header"];
    if (typeof header === "string" && args[name] !== undefined && args[name] !== null) headers[`Mcp-Param-${header}`] = encoded(String(args[name]));
  }
  return headers;
}

// answerOf shows an answer: what it says, and as it came.
function answerOf({ message, text }) {
  const shown = [];
  const add = (what) => shown.push(el("pre", { tabIndex: 0, "aria-label": "Result" }, what));
  if (message.error) add(message.error.message + (message.error.data === undefined ? "" : `\n${JSON.stringify(message.error.data, null, 2)}`));
  for (const part of message.result?.content ?? []) {
    if (part.type === "text") add(String(part.text));
    else add(`${part.type} ${part.mimeType ?? ""} ${part.data ? `${part.data.length} characters of base64` : JSON.stringify(part, null, 2)}`);
  }
  if (message.result?.structuredContent !== undefined) add(JSON.stringify(message.result.structuredContent, null, 2));
  return [...shown, el("details", {}, el("summary", {}, "Raw message"), el("pre", { tabIndex: 0, "aria-label": "Raw message" }, text))];
}
