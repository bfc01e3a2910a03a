// Certificates for tests, made without any program: X.509 (RFC 5280) written in DER by hand, with P-256 keys from node:crypto.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dayMs = 86_400_000;

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  // The shortest form, which Java insists on.
  if (body.length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, body.length]), body]);
  return Buffer.concat([Buffer.from([tag, 0x82, body.length >> 8, body.length & 0xff]), body]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const octets = (bytes: Uint8Array): Buffer => der(0x04, bytes);
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes);
const integer = (bytes: Uint8Array): Buffer => der(0x02, bytes);
const isTrue = Buffer.from([0x01, 0x01, 0xff]);

/** An object identifier, from the hex of its encoded arcs. */
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
const commonName = oid('550403');
const basicConstraints = oid('551d13');
const subjectAltName = oid('551d11');

const nameOf = (text: string): Buffer => sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(text)))));
// YYMMDDHHMMSSZ
const utcTime = (ms: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replaceAll(/\D/g, '')}Z`));
const dnsName = (name: string): Buffer => der(0x82, Buffer.from(name));
const ipAddress = (address: string): Buffer => der(0x87, Buffer.from(address.split('.').map(Number)));
const ipv6Loopback = der(0x87, Buffer.from([...Array.from({ length: 15 }, () => 0), 1]));

interface Identity {
  readonly name: string;
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

const newIdentity = (name: string): Identity => ({ name, keys: generateKeyPairSync('ec', { namedCurve: 'P-256' }) });

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;

/** A certificate of `subject`, valid from yesterday for three days. */
function certify(subject: Identity, issuer: Identity, ...extensions: readonly Buffer[]): string {
  const now = Date.now();
  const certificate = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    // A leading 1 keeps the number positive.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer.name),
    sequence(utcTime(now - dayMs), utcTime(now + 2 * dayMs)),
    nameOf(subject.name),
    subject.keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const signature = sign('sha256', certificate, issuer.keys.privateKey);
  return pem('CERTIFICATE', sequence(certificate, ecdsaWithSha256, bits(signature)));
}

function writePair(folder: string, file: string, { keys }: Identity, certificate: string): void {
  writeFileSync(join(folder, `${file}.key`), keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(folder, `${file}.pem`), certificate);
}

export interface Certificates extends Disposable {
  readonly folder: string;
  /** Path of a file: `ca.pem`, `localhost.pem`, `localhost.key`, `other.pem`, `client.pem`. */
  path(name: string): string;
  read(name: string): string;
}

/** A CA with certificates for `localhost`, `other.example` and a client, in a folder that disposing removes. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-certs-'));
  const ca = newIdentity('test ca');
  writePair(folder, 'ca', ca, certify(ca, ca, sequence(basicConstraints, isTrue, octets(sequence(isTrue)))));
  for (const [file, name, ...alternatives] of [
    ['localhost', 'localhost', dnsName('localhost'), ipAddress('127.0.0.1'), ipv6Loopback],
    ['other', 'other.example', dnsName('other.example')],
    ['client', 'client', dnsName('client')],
  ] as const) {
    const subject = newIdentity(name);
    writePair(folder, file, subject, certify(subject, ca, sequence(subjectAltName, octets(sequence(...alternatives)))));
  }
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    read: (name) => readFileSync(path(name), 'utf8'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Writes `NAME.pem`, a certificate that signed itself, and `NAME.key` into a folder. */
export function makeSelfSigned(folder: string, name: string): { cert_file: string; key_file: string } {
  const self = newIdentity(name);
  writePair(folder, name, self, certify(self, self, sequence(basicConstraints, isTrue, octets(sequence(isTrue)))));
  return { cert_file: join(folder, `${name}.pem`), key_file: join(folder, `${name}.key`) };
}
