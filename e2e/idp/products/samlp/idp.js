// An identity provider on Auth0's samlp, which reads the requests and writes the responses; the pages around it are ours.
// node idp.js PORT DIR, where DIR also has node_modules. Each service of DIR/clients.json has these knobs, samlp's own options:
//   signAssertion, signResponse     booleans; default true, false
//   algorithm                       of signatures and digests: "sha256" (default) or "sha1"
//   encryptionAlgorithm             URI, "" for samlp's default; without it nothing is encrypted
//   wantSigned                      boolean: a signature of a request is checked against the certificate in the service's metadata
//   nameIdentifierFormat            URI; default that of e-mail addresses
//   nameIdentifier                  "email" (default) or "name"
//   authnContextClassRef            URI
//   signatureNamespacePrefix, typedAttributes, includeAttributeNameFormat
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const crypto = require('node:crypto');

const [port, dir] = process.argv.slice(2);
const load = require('node:module').createRequire(path.join(dir, 'package.json'));
const samlp = load('samlp');
const { DOMParser } = load('@auth0/xmldom');
const xpath = load('xpath');

const base = `http://localhost:${port}`;
const json = name => JSON.parse(fs.readFileSync(path.join(dir, name)));
const users = Object.fromEntries(json('users.json').map(user => [user.name, user]));
const clients = Object.fromEntries(json('clients.json').map(client => [client.slug, client]));
const escape = text => text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
const claims = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/';

// certificate returns one of the service's metadata, PEM. use: signing or encryption.
function certificate(client, use) {
  const document = new DOMParser().parseFromString(fs.readFileSync(client.metadata, 'utf8'));
  const [found] = xpath.select(`//*[local-name()="KeyDescriptor"][@use="${use}"]//*[local-name()="X509Certificate"]/text()`, document);
  if (!found) throw new Error(`the metadata of the service has no certificate for ${use}`);
  return new crypto.X509Certificate(Buffer.from(found.data, 'base64')).toString();
}

function mapper(user) {
  return {
    getClaims: () => ({
      [claims + 'emailaddress']: user.email || undefined,
      [claims + 'givenname']: user.given,
      [claims + 'surname']: user.surname,
      'http://schemas.microsoft.com/identity/claims/displayname': `${user.given} ${user.surname}`,
      'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups': user.groups,
    }),
    getNameIdentifier: o => ({ nameIdentifier: user[o.nameIdentifier || 'email'] }),
  };
}

function options(client, user) {
  const pair = json('keys.json'), knobs = client.knobs, algorithm = knobs.algorithm || 'sha256';
  const o = {
    issuer: `${base}/${client.slug}/metadata`,
    cert: fs.readFileSync(path.join(dir, `${pair}.crt`)),
    key: fs.readFileSync(path.join(dir, `${pair}.key`)),
    signatureAlgorithm: `rsa-${algorithm}`,
    digestAlgorithm: algorithm,
    signAssertion: knobs.signAssertion,
    signResponse: knobs.signResponse,
    lifetimeInSeconds: 300,
    destination: client.acs,
    recipient: client.acs,
    nameIdentifierFormat: knobs.nameIdentifierFormat || 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    nameIdentifier: knobs.nameIdentifier,
    authnContextClassRef: knobs.authnContextClassRef,
    signatureNamespacePrefix: knobs.signatureNamespacePrefix,
    typedAttributes: knobs.typedAttributes,
    includeAttributeNameFormat: knobs.includeAttributeNameFormat,
    profileMapper: mapper,
    getUserFromRequest: () => user,
    getPostURL: (audience, request, req, done) => {
      if (request && audience !== client.entity_id) return done(new Error(`the service ${audience} is not known`));
      done(null, client.acs);
    },
  };
  if (!client.metadata) o.getPostURL = (audience, request, req, done) => done(new Error(`the service ${audience} is not known`));
  if (knobs.wantSigned) o.signingCert = certificate(client, 'signing');
  if (knobs.encryptionAlgorithm !== undefined) {
    o.encryptionCert = certificate(client, 'encryption');
    o.encryptionPublicKey = new crypto.X509Certificate(o.encryptionCert).publicKey.export({ type: 'spki', format: 'pem' });
    o.encryptionAlgorithm = knobs.encryptionAlgorithm || undefined;
    o.disallowEncryptionWithInsecureAlgorithm = false; // lets an administrator choose AES-CBC and Triple DES
    o.warnOnInsecureEncryptionAlgorithm = false;
  }
  return o;
}

function serve(req, res) {
  const [, slug, what] = new URL(req.url, base).pathname.split('/');
  // What samlp wants of express.
  req.protocol = 'http';
  req.originalUrl = req.url;
  res.set = (name, value) => res.setHeader(name, value);
  res.send = (status, text) => {
    if (typeof status === 'number') res.statusCode = status;
    else text = status;
    res.end(String(text ?? ''));
  };
  const fail = error => {
    console.error(error);
    res.statusCode = 400;
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(`<h1>The identity provider refuses</h1><p>${escape(String(error && error.message || error))}</p>`);
  };
  if (slug === '') return res.end('running');
  const client = clients[slug];
  if (what === 'metadata') {
    const o = options(client);
    return samlp.metadata({ issuer: o.issuer, cert: o.cert, redirectEndpointPath: `/${slug}/sso`, postEndpointPath: `/${slug}/sso` })(req, res);
  }
  const form = req.method === 'POST' ? req.body : req.query;
  const { user: name, password, ...message } = form;
  const answer = user => {
    const o = options(client, user);
    if (what === 'start') o.audience = client.entity_id;
    samlp.auth(o)(req, res, fail);
  };
  if (name !== undefined) {
    if (!users[name] || password !== `${name}pass`) return fail('wrong password');
    res.setHeader('Set-Cookie', `user-${slug}=${name}; Path=/; HttpOnly; SameSite=Lax`);
    return answer(users[name]);
  }
  samlp.parseRequest(req, (error, request) => {
    if (error) return fail(error);
    const [, signedIn] = (req.headers.cookie || '').match(`user-${slug}=(\\w+)`) || [];
    if (signedIn && (request || {}).forceAuthn !== 'true') return answer(users[signedIn]);
    const hidden = Object.entries(message).map(([k, v]) => `<input type="hidden" name="${escape(k)}" value="${escape(v)}">`).join('');
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(`<form method="${req.method}">${hidden}<input name="user"><input type="password" name="password"><button>Sign in</button></form>`);
  });
}

http.createServer((req, res) => {
  req.query = Object.fromEntries(new URL(req.url, base).searchParams);
  req.body = {};
  let body = '';
  req.setEncoding('utf8');
  req.on('data', part => { body += part; });
  req.on('end', () => {
    if (req.method === 'POST') req.body = Object.fromEntries(new URLSearchParams(body));
    try {
      serve(req, res);
    } catch (error) {
      console.error(error);
      res.statusCode = 500;
      res.end(`<h1>The identity provider fails</h1><p>${escape(String(error.message))}</p>`);
    }
  });
}).listen(Number(port), '127.0.0.1');
