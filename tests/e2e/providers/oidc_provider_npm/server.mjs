// One OpenID provider on loopback, over TLS. Arguments: the folder of the installed packages, and a JSON file of settings.
// People are read from their file at every question, so that a test ends one by rewriting it. Keys are new at every start.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { pathToFileURL } from 'node:url';

const [modules, file] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(file, 'utf8'));
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };

const provider = new Provider(settings.issuer, {
  clients: [{
    client_id: settings.clientId,
    client_secret: settings.clientSecret,
    redirect_uris: [settings.redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
  }],
  scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  conformIdTokenClaims: false, // else the groups are told at the userinfo endpoint only
  pkce: { required: () => true },
  cookies: { keys: [randomUUID()] },
  jwks: { keys: [key] },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  features: { devInteractions: { enabled: true } },
  findAccount: async (_, sub) => {
    const person = JSON.parse(readFileSync(settings.people, 'utf8'))[sub];
    return person && { accountId: sub, claims: async () => ({ sub, ...person }) };
  },
});

const server = createServer({ cert: readFileSync(settings.certificate), key: readFileSync(settings.key) }, provider.callback());
server.listen(settings.port, '127.0.0.1', () => console.log('ready'));
