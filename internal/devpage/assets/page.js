// The page of mcpfunc dev. What servers and clients say is a stranger's text, and gets into the page
// as text alone.
import { el } from "/?dev=form.js";
import { tools } from "/?dev=tools.js";

const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

// The key comes in the fragment, once. It stays with this tab and this origin.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return false;
  sessionStorage.setItem("key", given);
  history.replaceState(null, "", "/");
  return true;
}
takeKey();
addEventListener("hashchange", () => takeKey() && location.reload());
const key = sessionStorage.getItem("key");

const seen = { run: "", version: 0, session: 0, message: 0, line: 0 };
let asking = new AbortController(); // stops the request for news that is under way
let followed = false; // the user chose a session; until then the newest is shown
let skew = 0; // our clock less the app's, milliseconds

// say changes a text, and leaves it alone when it is the same: what is set again is read out again.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// link shows whether what is on the page is still true.
function link(state, text) {
  $("#link").dataset.state = state;
  say($("#link"), text);
}

function notice(text) {
  $("#notice").hidden = text === "";
  say($("#notice"), text);
}

// poll asks for news, one request at a time, for as long as the page is looked at.
async function poll() {
  for (let failed = 0; ;) {
    if (document.hidden) await new Promise((resume) => document.addEventListener("visibilitychange", resume, { once: true }));
    let answer;
    asking = new AbortController();
    try {
      answer = await fetch(`/?${new URLSearchParams({ dev: "state", ...seen })}`, { headers: { "Mcpfunc-Dev-Key": key }, signal: asking.signal });
      if (answer.status === 403 || answer.status === 404) {
        link("refused", "not connected");
        notice("This page belongs to a run of mcpfunc dev that has ended. Open the address that the current run printed.");
        return;
      }
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      show(await answer.json());
      link("live", "live");
      failed = 0;
      await pause(150); // so that a busy server does not keep the page busy
    } catch (error) {
      if (asking.signal.aborted) continue;
      if (!(error instanceof TypeError) && answer?.ok) throw error; // ours, not the network's
      failed++;
      link("lost", "connection lost, trying again");
      await pause(Math.min(250 * 2 ** failed, 4000));
    }
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function show(state) {
  if (state.look !== document.body.dataset.look) {
    location.reload(); // there are other servers now
    return;
  }
  if (state.run !== seen.run) {
    seen.session = 0;
    followed = false;
    clearTail();
    if (seen.run !== "") document.dispatchEvent(new Event("rerun"));
  }
  seen.run = state.run;
  seen.version = state.version;
  skew = Date.now() - Date.parse(state.now);
  for (const node of $$(".live")) if (node.id !== "tail") node.hidden = false;
  showFigures(state);
  showServers(state.servers);
  showSessions(state.sessions, state.unwatched);
  showTail(state);
}

function showFigures(state) {
  const open = state.sessions.filter((s) => !s.ended && !s.pool).length;
  const running = state.sessions.filter((s) => s.pid).length;
  const shared = state.shared ? ` · owns ${state.shared.owned}, passed on ${state.shared.forwarded}, answered ${state.shared.answered} for others` : "";
  say($("#figures"), `${count(open, "session")} · ${count(running, "process", "processes")}${shared} · up ${age(state.started)}`);
}

const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

function age(from, to) {
  const s = Math.max(0, Math.round(((to ? Date.parse(to) : Date.now() - skew) - Date.parse(from)) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

// visible is a name in which nothing is hidden from the one who reads it.
function visible(name) {
  return name.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function showServers(servers) {
  for (const server of servers) {
    const about = server.state === "failing" ? server.why
      : server.processes === 0 ? "idle"
        : `${count(server.sessions, "session")}, ${count(server.processes, "process", "processes")}`;
    for (const node of $$(`[data-server="${server.name}"]`)) {
      node.dataset.state = server.state;
      const state = node.tagName === "BUTTON" && server.state === "failing" ? "failing" : about;
      say($(".state", node), server.drifted ? `${state}; not as packed: ${server.drifted.map(visible).join(", ")}` : state);
    }
    const article = $(`#server-${server.name}`);
    say($(".command", article), server.command);
    say($(".era", article), server.era || "not asked yet");
  }
}

function chooseServer(name) {
  for (const button of $$("#server-list button")) button.setAttribute("aria-current", String(button.dataset.server === name));
  for (const article of $$("#servers article")) article.hidden = article.dataset.server !== name;
  sessionStorage.setItem("server", name);
}

const rows = new Map(); // by number

function showSessions(sessions, unwatched) {
  $("#no-sessions").hidden = sessions.length > 0 && unwatched === 0;
  if (unwatched > 0) say($("#no-sessions"), `${count(unwatched, "session")} more came when there was no room to watch them.`);
  const newest = sessions.toReversed();
  const numbers = new Set(sessions.map((s) => s.number));
  for (const [number, row] of rows) {
    if (!numbers.has(number)) {
      row.remove();
      rows.delete(number);
    }
  }
  for (const s of newest) {
    let row = rows.get(s.number);
    if (!row) {
      const choose = el("button", { type: "button" }, s.name);
      choose.addEventListener("click", () => {
        followed = true;
        chooseSession(s.number);
        asking.abort();
      });
      row = el("tr", {}, el("td", {}, choose), ...Array.from({ length: 8 }, () => el("td")));
      for (const i of [4, 5, 6, 7]) row.cells[i].className = "number";
      row.cells[8].className = "why";
      rows.set(s.number, row);
      $("#session-rows").prepend(row);
    }
    const texts = [s.server, s.client ?? "", s.protocol ?? "", String(s.calls), age(s.opened, s.ended), s.pid ? String(s.pid) : "", size(s.memory), stateOf(s)];
    texts.forEach((text, i) => say(row.cells[i + 1], text));
    row.classList.toggle("over", Boolean(s.ended));
    row.title = s.program ? `served by ${s.program}` : "";
  }
  if (!followed && newest.length > 0) chooseSession((newest.find((s) => !s.ended) ?? newest[0]).number);
}

function stateOf(s) {
  if (s.ended) return `ended: ${s.why}`;
  if (!s.pid) return s.why ? `restarting: ${s.why}` : "starting";
  const what = s.waiting > 0 ? `${count(s.waiting, "call")} waiting` : "idle";
  return (s.pool ? "shared, " : "") + what + (s.starts > 1 ? `, started ${s.starts} times` : "");
}

function size(bytes) {
  if (!bytes) return "";
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

function chooseSession(number) {
  if (seen.session === number) return;
  seen.session = number;
  seen.version = 0; // what it said is news, however old
  clearTail();
}

function clearTail() {
  seen.message = 0;
  seen.line = 0;
  $("#messages").replaceChildren();
  $("#stderr").replaceChildren();
  for (const id of ["missed-messages", "missed-lines"]) $(`#${id}`).hidden = true;
}

const keep = 200; // rows of a log on the page

function showTail(state) {
  for (const [number, row] of rows) row.setAttribute("aria-current", String(number === seen.session));
  const session = state.sessions.find((s) => s.number === seen.session);
  $("#tail").hidden = !session;
  if (!session) return;
  say($("#tail-title"), `Session ${session.name} of ${session.server}`);
  const tail = state.tail;
  if (tail?.session !== seen.session || tail.after_message !== seen.message || tail.after_line !== seen.line) return; // it answers an earlier question
  const { messages, lines } = tail;
  missed("#missed-messages", tail.missed_messages, "message");
  missed("#missed-lines", tail.missed_lines, "line");
  grow($("#messages"), messages.map(messageRow));
  grow($("#stderr"), lines.map((line) => el("li", { title: time(line.at) }, line.text)));
  seen.message = messages.at(-1)?.number ?? seen.message;
  seen.line = lines.at(-1)?.number ?? seen.line;
}

function missed(id, n, what) {
  if (n === 0) return;
  $(id).hidden = false;
  say($(id), `${count(n, `earlier ${what}`)} not kept`);
}

// grow adds rows, and stays at the end if that is where the reader was.
function grow(log, added) {
  if (added.length === 0) return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
  log.append(...added);
  while (log.children.length > keep) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

const time = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

function messageRow(m) {
  const at = el("span", { className: "time muted" }, time(m.at));
  if (m.kind === "event") return el("li", { className: "event" }, at, el("span", {}, m.body));
  const arrow = el("span", { className: "arrow" }, el("span", { "aria-hidden": "true" }, m.from === "client" ? "→" : "←"), el("span", { className: "hidden" }, m.from === "client" ? "to the server" : "from the server"));
  const about = el("span", {}, m.method || m.kind, " ", el("span", { className: m.kind === "error" ? "bad" : "muted" }, [m.method ? m.kind : "", m.id].filter(Boolean).join(" ")));
  const summary = el("summary", {}, at, arrow, about, el("span", { className: "size muted" }, size(m.size)), el("span", {}, m.took_ms ? ms(m.took_ms) : ""));
  const body = el("pre", { className: "body" });
  const details = el("details", {}, summary, body);
  details.addEventListener("toggle", () => say(body, pretty(m)), { once: true });
  return el("li", {}, details);
}

const ms = (n) => (n < 10 ? n.toFixed(2) : n < 1000 ? n.toFixed(1) : n.toFixed(0)) + " ms";

function pretty(m) {
  if (m.cut) return `${m.body}\n… ${count(m.cut, "byte")} more`;
  return indent(m.body);
}

// indent lays JSON out, unless that would change a number.
function indent(text) {
  try {
    const value = JSON.parse(text);
    return JSON.stringify(value) === text ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.firstChild;
  const before = label.data;
  label.data = "Copied";
  setTimeout(() => { label.data = before; }, 1500);
});

for (const button of $$("#server-list button")) button.addEventListener("click", () => chooseServer(button.dataset.server));
const names = $$("#server-list button").map((button) => button.dataset.server);
const before = sessionStorage.getItem("server");
chooseServer(names.includes(before) ? before : names[0]);
if (key) {
  for (const article of $$("#servers article")) tools($(".tools", article), article.dataset.path, JSON.parse(article.dataset.headers));
  poll();
} else {
  notice("Open the address that mcpfunc dev printed to see sessions and to call tools here. It carries a key that this tab does not have.");
}
