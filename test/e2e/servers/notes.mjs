// A stdio MCP server for the page of mcpfunc dev.
//
//   node notes.mjs            a server with tools that a person would use
//   node notes.mjs stranger   one whose every text is markup that would run
//
// PACKAGES is the package.json beside which the SDK lies.
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(process.env.PACKAGES);
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { CallToolRequestSchema, ListToolsRequestSchema } = require("@modelcontextprotocol/sdk/types.js");

const stranger = process.argv[2] === "stranger";
const markup = `<img src=x onerror="window.ran=1"><script>window.ran=1</script>`;

const notes = [
  { title: "Release checklist", tag: "work", words: 412 },
  { title: "Release party", tag: "home", words: 38 },
  { title: "What to read on processes", tag: "work", words: 1290 },
];

const tools = stranger ? [{
  name: markup, description: markup, title: markup,
  inputSchema: { type: "object", properties: { [markup]: { type: "string", description: markup, default: markup }, [`choice ${markup}`]: { enum: [markup] } } },
}] : [
  {
    name: "search_notes", description: "Find notes by their words.\nThe newest come first.",
    inputSchema: {
      type: "object", required: ["query"],
      properties: {
        query: { type: "string", description: "words that a note must have" },
        tag: { enum: ["work", "home"], description: "of the notes to look at" },
        limit: { type: "integer", description: "how many to return", default: 10 },
        exact: { type: "boolean", description: "whole words alone" },
        range: { type: "object", description: "dates, as {\"from\": …, \"to\": …}", properties: { from: { type: "string" }, to: { type: "string" } } },
      },
    },
  },
  { name: "count_words", description: "Count the words of all notes.", inputSchema: { type: "object", properties: {} } },
  {
    name: "index_notes", description: "Read all notes anew, and tell how far it is.",
    inputSchema: { type: "object", required: ["steps"], properties: { steps: { type: "number" } } },
  },
];

const server = new Server({ name: "notes", version: "1.4.0" }, { capabilities: { tools: {} } });
const text = (value) => ({ content: [{ type: "text", text: value }] });

// Two pages, for whoever asks with a cursor.
server.setRequestHandler(ListToolsRequestSchema, ({ params }) => (params?.cursor ? { tools: tools.slice(2) }
  : { tools: tools.slice(0, 2), ...(tools.length > 2 ? { nextCursor: "2" } : {}) }));

server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
  const args = params.arguments ?? {};
  switch (params.name) {
    case "search_notes": {
      const found = notes.filter((n) => n.title.toLowerCase().includes(args.query.toLowerCase()) && (!args.tag || n.tag === args.tag)).slice(0, args.limit);
      console.error(`search: ${JSON.stringify(args)} found ${found.length}`);
      return { ...text(found.map((n) => `${n.title} (${n.tag})`).join("\n")), structuredContent: { found } };
    }
    case "count_words":
      return text(String(notes.reduce((sum, n) => sum + n.words, 0)));
    case "index_notes":
      for (let i = 1; i <= args.steps; i++) {
        await pause(300);
        console.error(`indexed ${i} of ${args.steps}`);
        if (params._meta?.progressToken !== undefined) {
          await sendNotification({ method: "notifications/progress", params: { progressToken: params._meta.progressToken, progress: i, total: args.steps } });
        }
      }
      return text("indexed");
  }
  console.error(markup);
  return text(markup);
});

console.error(stranger ? markup : `notes: ${notes.length} notes, ready`);
await server.connect(new StdioServerTransport());
