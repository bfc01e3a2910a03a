import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { openS3 } from '../../src/sinks/s3/index.ts';
import { batchOf, numbered, openContext, settled } from './batches.ts';
import { openReceiver, type Reply } from './http-receiver.ts';
import { openStore, s3Options } from './s3-store.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'penstock-s3-'));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'));
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'));
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What a batch comes to with the credentials around this process, and the key by which its request was signed. */
async function sent(): Promise<{ readonly verdict: object; readonly key: string | undefined; readonly token: unknown }> {
  await using store = await openStore();
  await using context = await openContext();
  const { access_key_id: _id, secret_access_key: _key, ...options } = s3Options({ endpoint: store.url, region: 'eu-west-1' });
  await using sink = openS3(options, context);
  const verdict = settled(await sink.send(batchOf(sink, numbered(1)), signal));
  const { headers } = store.seen[0] ?? { headers: undefined };
  return {
    verdict,
    key: /Credential=([^/]+)\//.exec(headers?.authorization ?? '')?.[1],
    token: headers?.['x-amz-security-token'],
  };
}

const accepted = { all: { kind: 'accept' } };

it('takes the keys of the environment', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENV');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret-of-environment');

  expect(await sent()).toEqual({ verdict: accepted, key: 'AKIAENV', token: undefined });
});

it('takes the keys of a shared credentials file, of the profile that is asked for', async () => {
  const text =
    '[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key=s1\n[lake]\naws_access_key_id=AKIALAKE\naws_secret_access_key=s2\n';
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', fileOf('credentials', text));
  vi.stubEnv('AWS_PROFILE', 'lake');

  expect(await sent()).toEqual({ verdict: accepted, key: 'AKIALAKE', token: undefined });
});

function issued(key: string): string {
  const credentials = `<AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s3</SecretAccessKey><SessionToken>session-3</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`;
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>${credentials}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
}

async function withStandInForSts(
  reply: Reply,
): Promise<{ readonly result: Awaited<ReturnType<typeof sent>>; readonly asked: readonly string[] }> {
  await using sts = await openReceiver(() => reply);
  vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.url);
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/lake');
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', fileOf('token', 'identity-1'));
  const result = await sent();
  return { result, asked: sts.seen.map(({ text }) => text) };
}

it('exchanges a web identity token (IRSA) for keys, by way of its own HTTP client', async () => {
  const { result, asked } = await withStandInForSts({
    status: 200,
    body: issued('ASIAIRSA'),
    headers: { 'content-type': 'text/xml' },
  });

  expect(result).toEqual({ verdict: accepted, key: 'ASIAIRSA', token: 'session-3' });
  expect(asked).toEqual([expect.stringContaining('WebIdentityToken=identity-1')]);
});

it('holds when the issuer refuses the role, and tries again when the issuer fails', async () => {
  const fault = (code: string): string =>
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;
  const refused = await withStandInForSts({ status: 403, body: fault('AccessDenied'), headers: { 'content-type': 'text/xml' } });
  const failing = await withStandInForSts({
    status: 500,
    body: fault('InternalFailure'),
    headers: { 'content-type': 'text/xml' },
  });

  expect(refused.result).toEqual({
    verdict: {
      all: { kind: 'hold', reason: 'no credentials for the store: AccessDenied: no', fix: expect.stringContaining('IRSA') },
    },
    key: undefined,
    token: undefined,
  });
  expect(failing.result.verdict).toMatchObject({ all: { kind: 'retry' } });
});

it.each([
  [400, 'Throttling'],
  [400, 'ThrottlingException'],
  [400, 'IDPCommunicationError'],
  [408, 'RequestTimeout'],
  [429, 'TooManyRequestsException'],
])('tries again when the issuer answers %i %s', async (status, code) => {
  const body = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`;

  const { result } = await withStandInForSts({ status, body, headers: { 'content-type': 'text/xml' } });

  expect(result.verdict).toMatchObject({
    all: { kind: 'retry', reason: expect.stringContaining('no credentials for the store') },
  });
});

it("takes the keys of a container's role", async () => {
  await using agent = await openReceiver(() => ({
    status: 200,
    body: { AccessKeyId: 'ASIAPOD', SecretAccessKey: 's4', Token: 'session-4', Expiration: '2099-01-01T00:00:00Z' },
    headers: { 'content-type': 'application/json' },
  }));
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${agent.url}/v1/credentials`);
  vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'pod-identity');

  expect(await sent()).toEqual({ verdict: accepted, key: 'ASIAPOD', token: 'session-4' });
  expect(agent.seen[0]?.headers.authorization).toBe('pod-identity');
});

it.each([
  ['Command failed: /opt/vault/get --token s3cr3t-of-process\ntoken-of-vault', 'credential_process failed'],
  ['Profile lake credential_process returned invalid JSON.', 'credential_process failed'],
  ['Failed to load token from /home/a/.aws/sso/cache/s3cr3t.json: Unexpected token "s3cr3t"', 'CredentialsProviderError'],
  ['https://user:s3cr3t@agent.example.com is not a valid container metadata service URL', 'CredentialsProviderError'],
  ['Could not load credentials from any providers', 'CredentialsProviderError: Could not load credentials from any providers'],
])('says of "%s" only that %s', async (message, said) => {
  const fault = Object.assign(new Error(message), { name: 'CredentialsProviderError' });
  const openChain = () => () => Promise.reject(fault);
  vi.doMock('../../src/sinks/s3/credential-chain.ts', () => ({ openChain }));

  const { verdict } = await sent();
  vi.doUnmock('../../src/sinks/s3/credential-chain.ts');

  expect(verdict).toEqual({
    all: { kind: 'hold', reason: `no credentials for the store: ${said}`, fix: expect.stringContaining('set access_key_id') },
  });
});

it('keeps what a credential_process prints, and its command line, out of log and verdict', async () => {
  vi.stubEnv('AWS_CONFIG_FILE', fileOf('config', '[default]\ncredential_process = echo s3cr3t-of-process\n'));
  const lines: unknown[] = [];
  const note = (...line: unknown[]): void => void lines.push(line);
  await using context = await openContext({ log: { ...silentLog(), warn: note, error: note, info: note, debug: note } });
  const { access_key_id: _id, secret_access_key: _key, ...options } = s3Options({ region: 'eu-west-1' });
  await using sink = openS3(options, context);

  const verdict = settled(await sink.send(batchOf(sink, numbered(1)), signal));

  expect(verdict).toMatchObject({ all: { kind: 'hold' } });
  expect(inspect([verdict, lines], { depth: 9 })).not.toContain('s3cr3t');
});

it('holds without any, and says where it looked', async () => {
  expect(await sent()).toEqual({
    verdict: {
      all: {
        kind: 'hold',
        reason: expect.stringContaining('no credentials for the store: CredentialsProviderError'),
        fix: expect.stringContaining('set access_key_id and secret_access_key'),
      },
    },
    key: undefined,
    token: undefined,
  });
});
