// A client on the TypeScript SDK v1 that is told "401" and does what OAuth 2.1
// asks of it: node oauth-client.mjs URL TOOL ARGUMENTS
// Prints what it went through and the result of the call, as JSON. The person in
// front of the browser is played: logs in as alice, agrees to everything.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, tool, args] = process.argv.slice(2);
const seen = { steps: [] };

class Browser {
  cookies = new Map();
  // follow goes where a browser would, until it is sent back to the client.
  async follow(location) {
    let request = { url: new URL(location), method: "GET", body: undefined };
    for (let hops = 0; hops < 30; hops++) {
      if (request.url.host === "client.example") return request.url;
      const response = await fetch(request.url, {
        method: request.method,
        body: request.body,
        redirect: "manual",
        headers: { cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join("; ") },
      });
      for (const line of response.headers.getSetCookie()) {
        const [pair] = line.split(";");
        const at = pair.indexOf("=");
        this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
      }
      const next = response.headers.get("location");
      if (next) {
        request = { url: new URL(next, request.url), method: "GET", body: undefined };
        continue;
      }
      const page = await response.text();
      const action = page.match(/<form[^>]*action="([^"]+)"/);
      if (!action) throw new Error(`no form on ${request.url}: ${response.status} ${page.slice(0, 500)}`);
      const form = new URLSearchParams();
      for (const [input] of page.matchAll(/<input[^>]*>/g)) {
        const name = input.match(/name="([^"]+)"/);
        if (name) form.set(name[1], input.match(/value="([^"]*)"/)?.[1] ?? "");
      }
      seen.steps.push(form.get("prompt") ?? "login");
      const person = { login: "alice", username: `test-user@${request.url.hostname}`, password: "verysecure" };
      for (const [name, value] of Object.entries(person)) if (form.has(name)) form.set(name, value);
      request = { url: new URL(action[1], request.url), method: "POST", body: form };
    }
    throw new Error("too many redirects");
  }
}

const browser = new Browser();
let code;
const provider = {
  redirectUrl: "https://client.example/callback",
  clientMetadata: {
    client_name: "judges", redirect_uris: ["https://client.example/callback"], grant_types: ["authorization_code"], response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  clientInformation() { return { client_id: "desk" }; },
  tokens() { return this.saved; },
  saveTokens(tokens) { seen.steps.push("token"); this.saved = tokens; },
  async redirectToAuthorization(to) {
    seen.resource = to.searchParams.get("resource");
    seen.scope = to.searchParams.get("scope");
    const back = await browser.follow(to);
    code = back.searchParams.get("code");
    if (!code) throw new Error(`no code: ${back}`);
  },
  saveCodeVerifier(v) { this.verifier = v; },
  codeVerifier() { return this.verifier; },
};

async function connect() {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  const client = new Client({ name: "judges", version: "1" });
  try {
    await client.connect(transport);
  } catch (err) {
    if (!(err instanceof UnauthorizedError)) throw err;
    seen.steps.push("unauthorized");
    await transport.finishAuth(code);
    return connect();
  }
  return client;
}

const client = await connect();
// A tool that wants more is a 403 that says so: the SDK asks for more, and the
// call is made again.
async function call() {
  const request = { name: tool, arguments: JSON.parse(args) };
  try {
    return await client.callTool(request);
  } catch (err) {
    if (!(err instanceof UnauthorizedError)) throw err;
    seen.steps.push("step-up");
    await client.transport.finishAuth(code);
    return client.callTool(request);
  }
}
const result = await call();
seen.isError = result.isError === true;
seen.text = result.content.map((part) => part.text).join("");
await client.close();
process.stdout.write(JSON.stringify(seen));
