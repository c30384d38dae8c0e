// main.go with the SDKs for Node.
import { createRequire } from "node:module";

const require = createRequire(process.argv[2]); // a package.json beside the SDKs
const { DefaultAzureCredential } = require("@azure/identity");
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { CallToolRequestSchema, ListToolsRequestSchema } = require("@modelcontextprotocol/sdk/types.js");

const credential = new DefaultAzureCredential();
const server = new Server({ name: "azure-node", version: "1" }, { capabilities: { tools: {} } });
const inputSchema = { type: "object", properties: { scope: { type: "string" } }, required: ["scope"] };

const tools = {
  token: async ({ scope }) => (await credential.getToken(scope)).token,
  environment: async () => Object.entries(process.env).map((entry) => entry.join("=")).join("\n"),
};

server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: Object.keys(tools).map((name) => ({ name, inputSchema })),
}));
server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
  try {
    return { content: [{ type: "text", text: await tools[params.name](params.arguments) }] };
  } catch (error) {
    return { isError: true, content: [{ type: "text", text: String(error) }] };
  }
});
await server.connect(new StdioServerTransport());
