// A client on the TypeScript SDK that listens: node listen-client.mjs URL. Prints
// the names of the tools it sees, and again each time it is told of a change, one
// JSON list a line, until its input ends.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const client = new Client({ name: "judges", version: "1" });
const list = async () => {
  const { tools } = await client.listTools();
  process.stdout.write(JSON.stringify(tools.map((tool) => tool.name)) + "\n");
};
client.setNotificationHandler(ToolListChangedNotificationSchema, list);
let opened;
const streaming = new Promise((resolve) => (opened = resolve));
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]), {
  // Listening begins after the handshake, in a request of its own.
  fetch: async (url, init) => {
    const answer = await fetch(url, init);
    if ((init?.method ?? "GET") === "GET") opened(answer.status);
    return answer;
  },
});
await client.connect(transport);
const status = await streaming;
if (status !== 200) throw new Error(`no stream: ${status}`);
await list();
process.stdin.resume();
process.stdin.on("end", async () => {
  await client.close();
  process.exit(0);
});
