// An OpenID provider for tests on a free port of 127.0.0.1; prints its issuer. NODE_PATH-free: argv[2] is the folder
// that holds node_modules. Clients register themselves (RFC 7591). What tests set: PUT /control/people/NAME (the claims
// of a person), PUT /control/job (the claims of the next machine token), POST /control/keys (new signing keys).
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));
const people = new Map();
let job = {};
let provider;

function keys() {
  const made = [generateKeyPairSync("rsa", { modulusLength: 2048 }), generateKeyPairSync("ec", { namedCurve: "P-256" })];
  return made.map(({ privateKey }) => ({ ...privateKey.export({ format: "jwk" }), use: "sig", kid: randomUUID() }));
}

function started(issuer) {
  const made = new Provider(issuer, {
    jwks: { keys: keys() },
    cookies: { keys: ["cookies of tests"] },
    claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email"], groups: ["groups"] },
    scopes: ["openid", "offline_access", "profile", "email", "groups"],
    responseTypes: ["code"],
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    issueRefreshToken: (ctx, client, code) => code.scopes.has("offline_access"),
    rotateRefreshToken: true,
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) =>
      people.has(id) ? { accountId: id, claims: () => ({ ...people.get(id), sub: id }) } : undefined,
    extraTokenClaims: () => job,
    ttl: { IdToken: 600, AccessToken: 600, ClientCredentials: 600, Interaction: 600, Session: 600, Grant: 6000 },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({
          scope: "ci",
          audience: resource,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  });
  made.on("server_error", (ctx, error) => console.error(error));
  return made;
}

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
}

// A person names himself: login and consent in one step.
async function interaction(request, response) {
  if (request.method !== "POST") return response.end("<form method=post><input name=login></form>");
  const { params } = await provider.interactionDetails(request, response);
  const accountId = new URLSearchParams(await body(request)).get("login");
  if (!people.has(accountId))
    return provider.interactionFinished(request, response, { error: "access_denied" }, { mergeWithLastSubmission: false });
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login: { accountId }, consent });
}

async function control(request, response) {
  const [, , what, name] = request.url.split("/");
  if (what === "people" && request.method === "DELETE") people.delete(name);
  else if (what === "people") people.set(name, JSON.parse(await body(request)));
  else if (what === "job") job = JSON.parse(await body(request));
  else if (what === "keys") provider = started(provider.issuer);
  response.end();
}

const server = createServer(async (request, response) => {
  try {
    if (request.url.startsWith("/control/")) await control(request, response);
    else if (request.url.startsWith("/interaction/")) await interaction(request, response);
    else await provider.callback()(request, response);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
});
server.listen(0, "127.0.0.1", () => {
  provider = started(`http://127.0.0.1:${server.address().port}`);
  console.log(provider.issuer);
});
