// A real authorization server, oidc-provider: node oauth-provider.mjs RESOURCE
// Prints its issuer when it listens. Everybody may log in as any user; tokens are
// JWTs for the resource that was asked for, or for RESOURCE.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [resource] = process.argv.slice(2);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      // The client of a person. It is not registered dynamically, because the SDK
      // registers with the scopes of the first challenge and then asks for more.
      { client_id: "desk", token_endpoint_auth_method: "none", redirect_uris: ["https://client.example/callback"], grant_types: ["authorization_code"], response_types: ["code"] },
      // Tokens without a person.
      { client_id: "machine", client_secret: "machine-secret", grant_types: ["client_credentials"], redirect_uris: [], response_types: [] },
    ],
    scopes: ["openid", "offline_access", "mcp", "orders:write"],
    clientDefaults: { token_endpoint_auth_method: "client_secret_post" },
    pkce: { required: () => true },
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, indicator) => ({
          scope: "mcp orders:write",
          audience: indicator,
          accessTokenTTL: 600,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
        useGrantedResource: () => true,
        defaultResource: () => resource,
      },
    },
  });
  provider.on("server_error", (_ctx, err) => console.error(err));
  server.on("request", provider.callback());
  console.log(issuer);
});
