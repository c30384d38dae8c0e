// npm oidc-provider as an authorization server that we did not write. It prints its issuer, and at
// /token?user=…&resource=…&scope=… gives what a client would have got at the end of its sign-in: for a
// resource that ends in "opaque" an opaque token, else a JWT (RFC 9068).
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.argv[2]); // a package.json beside it
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const info = (resource) => ({
  scope: "files:read files:write",
  audience: resource,
  accessTokenFormat: resource.endsWith("opaque") ? "opaque" : "jwt",
  accessTokenTTL: 3600,
  jwt: { sign: { alg: "RS256" } },
});

const provider = new Provider(issuer, {
  clients: [
    { client_id: "editor", token_endpoint_auth_method: "none", redirect_uris: ["https://client.example/cb"] },
    { client_id: "bridge", client_secret: "canary-of-the-bridge", redirect_uris: [], response_types: [], grant_types: [] },
  ],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo: (_, resource) => info(resource) },
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path !== "/token" || ctx.method !== "GET") return next();
  const { user, resource, scope } = ctx.query;
  const client = await provider.Client.find("editor");
  const grant = new provider.Grant({ accountId: user, clientId: client.clientId });
  grant.addResourceScope(resource, scope);
  const token = new provider.AccessToken({ accountId: user, client, grantId: await grant.save(), gty: "authorization_code", scope });
  token.resourceServer = new provider.ResourceServer(resource, info(resource));
  ctx.body = await token.save();
});

server.on("request", provider.callback());
console.log(issuer);
