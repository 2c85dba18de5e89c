// A client on the TypeScript SDK v1: node sdk-client.mjs CALLS URL|COMMAND…
// Prints as JSON the tools it sees and the results of the calls.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [calls, ...target] = process.argv.slice(2);
const transport = target[0].startsWith("http:")
  ? new StreamableHTTPClientTransport(new URL(target[0]))
  : new StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env });
const client = new Client({ name: "judges", version: "1" });
await client.connect(transport);

const seen = { tools: [], results: [] };
let cursor;
do {
  const page = await client.listTools({ cursor });
  seen.tools.push(...page.tools.map((tool) => tool.name));
  cursor = page.nextCursor;
} while (cursor);

// A number that JavaScript cannot hold goes out as it is written in CALLS.
const reviver = (_, value, context) =>
  typeof value === "number" && !Number.isSafeInteger(value)
    ? JSON.rawJSON(context.source)
    : value;
for (const call of JSON.parse(calls, reviver)) {
  const result = await client.callTool({ name: call.tool, arguments: call.arguments });
  const text = result.content.filter((part) => part.type === "text").map((part) => part.text);
  const image = result.content.find((part) => part.type === "image");
  seen.results.push({ isError: result.isError === true, text: text.length ? text : null, image: image ? image.data.length : 0 });
}
await client.close();
process.stdout.write(JSON.stringify(seen));
