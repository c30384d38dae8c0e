// A person with a browser at the page of mcpfunc dev.
//
//   node devpage.mjs ADDRESS CONFIG MCPFUNC DEPLOYED [PICTURES]
//
// ADDRESS is what mcpfunc dev printed, CONFIG the project's mcp_config.json, MCPFUNC the program,
// DEPLOYED an app that it did not start, and PICTURES a directory for screenshots. It prints a JSON line a check, as the other clients do.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const tools = process.env.MCPFUNC_E2E_TOOLS || join(homedir(), ".cache", "mcpfunc-e2e");
const require = createRequire(join(tools, "npm", "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [address, config, mcpfunc, deployed, pictures] = process.argv.slice(2);
const base = new URL("/", address).href;
const secret = new URL(address).hash.slice(1);

let failed = 0;
function check(name, ok, detail) {
  if (!ok) failed++;
  console.log(JSON.stringify({ check: name, ok: Boolean(ok), detail: detail === undefined ? undefined : String(detail).slice(0, 2000) }));
}
const equal = (name, got, want) => check(name, got === want, `${JSON.stringify(got)}, want ${JSON.stringify(want)}`);

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light", permissions: ["clipboard-read", "clipboard-write"] });
const page = await context.newPage();
page.setDefaultTimeout(120_000); // on a machine under load

// What the browser complains of. That the app is away while it is built anew is no complaint.
const complaints = [];
let reloading = false;
page.on("console", (message) => {
  const away = reloading && message.text().startsWith("Failed to load resource") && message.location().url.includes("dev=state");
  if (["error", "warning"].includes(message.type()) && !away) complaints.push(`${message.text()} (${message.location().url})`);
});
page.on("pageerror", (error) => complaints.push(`${error}`));
await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
const others = [];
page.on("request", (request) => {
  if (![new URL(base).origin, new URL(deployed).origin].includes(new URL(request.url()).origin) && !request.url().startsWith("data:")) others.push(request.url());
  if (request.url().includes(secret.slice(4))) complaints.push(`the key is in ${request.url()}`);
});

const link = page.locator("#link");
const live = () => link.filter({ hasText: /^live$/ }).waitFor();
const article = (name) => page.locator(`#server-${name}`);
const choose = (name) => page.locator("#server-list button", { hasText: name }).click();
const row = (text) => page.locator("#session-rows tr", { hasText: text }).first();
const done = (form) => form.locator("[role=status]").filter({ hasText: /^(Done|Error) in/ }).textContent();

async function accessible(name) {
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(document) })()`);
  check(`${name}: axe finds nothing`, found.violations.length === 0,
    found.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`).join("\n"));
}

async function picture(name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

// Without the key there is what the landing page says, and no more.
await page.goto(base);
equal("without the key: link", await link.textContent(), "not connected");
check("without the key: it says where the key is", await page.locator("#notice", { hasText: "mcpfunc dev printed" }).isVisible());
check("without the key: no sessions", !await page.locator("#sessions").isVisible());
await accessible("without the key");

await page.goto(address);
await live();
equal("the key is out of the address bar", page.url(), base);
await page.locator("#no-sessions").waitFor();

// A session of another client appears, with its process, and ends.
const call = spawn(mcpfunc, ["call", `${base}api/mcp/notes`, "index_notes", `{"steps": 6}`], { stdio: "ignore" });
await row("notes").filter({ hasText: "1 call waiting" }).waitFor();
const cells = await row("notes").locator("td").allTextContents();
check("a session of mcpfunc call", cells[2].startsWith("mcpfunc"), cells.join(" | "));
check("its process", /^\d+$/.test(cells[6]) && /MiB$/.test(cells[7]), cells.join(" | "));
await page.locator("#stderr li", { hasText: "indexed 2 of 6" }).waitFor();
equal("its server runs", await page.locator("#server-list button", { hasText: "notes" }).getAttribute("data-state"), "running");
await row("notes").filter({ hasText: "ended:" }).waitFor();
equal("mcpfunc call ends well", await new Promise((resolve) => (call.exitCode === null ? call.on("exit", resolve) : resolve(call.exitCode))), 0);
await row("notes").locator("td:nth-child(7):empty").waitFor({ state: "attached" }); // the process is gone
check("progress is among the messages", await page.locator("#messages li", { hasText: "notifications/progress" }).count() === 6);

// A tool by its form.
await choose("notes");
await article("notes").locator(".connect").click();
await article("notes").locator("form").waitFor();
equal("both pages of tools", (await article("notes").locator(".tools .choices button").allTextContents()).join(), "search_notes,count_words,index_notes");
const form = article("notes").locator("form");
await form.getByLabel("query").fill("release");
await form.getByLabel("tag").selectOption({ label: "work" });
await form.getByLabel("limit").fill("many");
await form.getByLabel("range").fill(`{"from": `);
await form.getByRole("button", { name: "Call" }).click();
equal("a wrong argument is said to be", await form.locator("[aria-invalid=true]").count(), 2);
equal("and has the focus", await form.getByLabel("limit").evaluate((node) => node === document.activeElement), true);
await form.getByLabel("limit").fill("5");
await form.getByLabel("range").fill(`{"from": "2026-01-01"}`);
await form.getByRole("button", { name: "Call" }).click();
check("it says how long it took", /^Done in \d+\.\d ms$/.test(await done(form)), await done(form));
equal("its result", await article("notes").locator(".result > pre").first().textContent(), "Release checklist (work)");
await row("mcpfunc-dev-page").locator("button").click();
const answer = page.locator("#messages summary", { hasText: "tools/call" }).filter({ hasText: "response" });
await answer.waitFor();
check("the message and its timing", /\d ms$/.test(await answer.textContent()), await answer.textContent());
await answer.click();
await page.locator("#messages .body", { hasText: "Release checklist" }).waitFor();
await page.locator("#stderr li", { hasText: `search: {"query":"release","tag":"work","limit":5,"range":{"from":"2026-01-01"}} found 1` }).waitFor();

await article("notes").getByRole("button", { name: "Copy for VS Code" }).click();
equal("a snippet that was copied", JSON.parse(await page.evaluate(() => navigator.clipboard.readText())).servers.notes.url, `${base}api/mcp/notes`);

await accessible("wide, light");
await picture("dev-light");
await page.emulateMedia({ colorScheme: "dark" });
await accessible("wide, dark");
await picture("dev-dark");
await page.setViewportSize({ width: 390, height: 844 });
equal("narrow: nothing is wider than the screen", await page.evaluate(() => document.documentElement.scrollWidth), 390);
await accessible("narrow, dark");
await page.emulateMedia({ colorScheme: "light" });
await accessible("narrow, light");
await picture("dev-narrow");
await page.setViewportSize({ width: 1280, height: 900 });

// Progress, and the keyboard: nothing here needs a mouse.
await article("notes").locator(".tools .choices button", { hasText: "index_notes" }).focus();
await page.keyboard.press("Enter");
await form.getByLabel("steps").fill("3");
await form.evaluate((form) => { // a step may be over before anybody looks
  window.shown = [];
  new MutationObserver((changes) => changes.forEach((c) => c.addedNodes.forEach((n) => window.shown.push(n.textContent)))).observe(form, { childList: true, subtree: true });
});
await page.keyboard.press("Enter");
await done(form);
check("the progress of the call was shown", (await page.evaluate(() => window.shown)).some((text) => text.includes("2 of 3")));

// A stranger's texts stay texts.
await choose("stranger");
await article("stranger").locator(".connect").click();
const markup = `<img src=x onerror="window.ran=1"><script>window.ran=1</script>`;
equal("a tool's name is text", await article("stranger").locator(".tools .choices button").textContent(), markup);
equal("so is its description", await article("stranger").locator(".tools .multiline").first().textContent(), markup);
await article("stranger").getByRole("button", { name: "Call" }).click();
await done(article("stranger").locator("form"));
equal("so is its result", await article("stranger").locator(".result > pre").first().textContent(), markup);
await row("stranger").locator("button").click();
await page.locator("#stderr li", { hasText: markup }).first().waitFor();
for (const summary of await page.locator("#messages summary").all()) await summary.click();
equal("nothing of it is an element", await page.locator("main img, main script").count(), 0);
equal("nothing of it ran", await page.evaluate(() => window.ran), undefined);
await accessible("with a stranger");

// The project is built anew: the page comes back by itself, and a session that is gone is opened again.
async function edit(from, to) {
  const text = readFileSync(config, "utf8");
  if (!text.includes(from)) throw new Error(`${config} has no ${from}`);
  reloading = true;
  writeFileSync(config, text.replace(from, to));
}
await choose("notes");
await article("notes").locator(".tools .choices button", { hasText: "count_words" }).click();
await edit("{", "// Nothing of this concerns the page.\n{");
await page.locator("#no-sessions").waitFor();
await live();
reloading = false;
await form.getByRole("button", { name: "Call" }).click();
await done(form);
equal("a call after a reload", await article("notes").locator(".result > pre").first().textContent(), "1740");

await edit("notes that one person keeps", "notes that two people keep");
await article("notes").locator(".description", { hasText: "two people" }).waitFor({ timeout: 60_000 });
await live();
reloading = false;
check("a page of other servers is loaded anew, and is not asked for the key again", await page.locator("#sessions").isVisible());

// What everybody else gets: a page without a script, and nothing behind it.
await page.setViewportSize({ width: 760, height: 400 });
await page.goto(deployed);
equal("deployed: its endpoints", (await page.locator("code").allTextContents()).join(), "/api/mcp/notes,/api/mcp,/api/mcp/stranger");
equal("deployed: no script", await page.locator("script, link[rel=stylesheet]").count(), 0);
await accessible("deployed, light");
await picture("landing");
await page.emulateMedia({ colorScheme: "dark" });
await accessible("deployed, dark");

equal("the browser complained of nothing", complaints.join("\n"), "");
equal("nothing came from elsewhere", others.join("\n"), "");
await browser.close();
check("every step was reached", true);
process.exit(failed === 0 ? 0 : 1);
