// A client of the TypeScript SDK that calls one tool over and over, in several sessions at once.
//
//   node loop.mjs URL CALLS SESSIONS STEPS
//
// STEPS is a JSON array of the calls that a session makes in turn: {"Tool", "Args", "Want"}. In Args and Want {n} is the
// number of the round in its session, from 1. It prints one JSON line: {"calls", "failed", "begun", "errors"}. A session
// that fails is begun anew, as a host of this SDK would: "begun" counts that, and the call that failed counts as failed.
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const tools = process.env.MCPFUNC_E2E_TOOLS || join(homedir(), ".cache", "mcpfunc-e2e");
const require = createRequire(join(tools, "npm", "package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

const [url, calls, sessions, list] = process.argv.slice(2);
const steps = JSON.parse(list);
const patience = { timeout: 300_000 }; // some servers start slowly
const total = { calls: 0, failed: 0, begun: 0, errors: [] };

function note(error) {
  total.failed++;
  if (total.errors.length < 5) total.errors.push(String(error).slice(0, 300));
}

async function open() {
  const client = new Client({ name: "mcpfunc-scale-typescript", version: "1" }, { capabilities: { roots: { listChanged: true } } });
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport, patience);
  total.begun++;
  return { client, transport };
}

async function session(n) {
  let peer;
  let made = 0;
  for (let i = 0; i < n; i++) {
    total.calls++;
    try {
      if (!peer) {
        peer = await open();
        made = 0;
      }
      const { Tool, Args, Want } = steps[made % steps.length];
      const round = String(Math.floor(made++ / steps.length) + 1);
      const result = await peer.client.callTool({ name: Tool, arguments: JSON.parse(Args.replaceAll("{n}", round)) }, undefined, patience);
      const text = result.content?.[0]?.text ?? "";
      if (result.isError || !text.includes(Want.replaceAll("{n}", round))) throw new Error(`answered ${JSON.stringify(result).slice(0, 200)}`);
    } catch (error) {
      note(error);
      await peer?.client.close().catch(() => {});
      peer = undefined;
    }
  }
  await peer?.transport.terminateSession().catch(note);
  await peer?.client.close();
}

const share = Math.floor(calls / sessions);
await Promise.all(Array.from({ length: sessions }, (_, i) => session(i ? share : calls - share * (sessions - 1))));
console.log(JSON.stringify(total));
process.exit(0);
