// node-saml's verdicts. Reads one case a line as JSON (see judges_test.go), answers one line each: {"accepted", "name_id", "why"}.
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml';

const { version } = createRequire(import.meta.url)('@node-saml/node-saml/package.json');

let now;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length ? args : [now ?? RealDate.now()]));
  }
  static now() {
    return now ?? RealDate.now();
  }
};

async function judge(c) {
  now = Math.floor(c.at * 1000);
  const asked = new RealDate(now - 60000).toISOString();
  const saml = new SAML({
    callbackUrl: c.acs,
    issuer: c.entity_id,
    audience: c.entity_id,
    entryPoint: 'https://idp.example/sso',
    idpIssuer: c.idp_entity_id,
    idpCert: c.certificates,
    decryptionPvk: c.decryption_keys[0],
    wantAssertionsSigned: false, // the form in which most identity providers sign either
    wantAuthnResponseSigned: false,
    acceptedClockSkewMs: 180000,
    validateInResponseTo: c.request_id ? ValidateInResponseTo.always : ValidateInResponseTo.never,
    cacheProvider: {
      saveAsync: async () => null,
      getAsync: async (id) => (id === c.request_id ? asked : null),
      removeAsync: async () => null,
    },
  });
  const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: c.response });
  return profile ? { accepted: true, name_id: profile.nameID } : { accepted: false, why: 'no profile' };
}

console.log(JSON.stringify({ version }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await judge(JSON.parse(line));
  } catch (e) {
    answer = { accepted: false, why: String(e.message ?? e) };
  }
  console.log(JSON.stringify(answer));
}
