// Connects in one era and calls echo once, with the TypeScript SDK 2.
//
//   node era.mjs URL legacy|auto|VERSION
//
// Prints one JSON object: the version that was agreed upon and the answer, or the error.

import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const tools = process.env.MCPFUNC_E2E_TOOLS || join(homedir(), ".cache", "mcpfunc-e2e");
const require = createRequire(join(tools, "npm", "package.json"));
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");

const [url, mode] = process.argv.slice(2);
const client = new Client(
  { name: "mcpfunc-e2e-typescript2", version: "1" },
  { versionNegotiation: { mode: mode === "legacy" || mode === "auto" ? mode : { pin: mode } } },
);
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const { content } = await client.callTool({ name: "echo", arguments: { message: "hello" } });
  const answer = content.map((part) => part.text ?? "").join("");
  console.log(JSON.stringify({ version: client.getNegotiatedProtocolVersion(), answer }));
  await client.close();
} catch (error) {
  console.log(JSON.stringify({ error: String(error) }));
}
process.exit(0);
