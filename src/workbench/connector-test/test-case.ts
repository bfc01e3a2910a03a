import { generateKeyPairSync } from 'node:crypto';
import { join, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { PenstockError } from '../../base/errors.ts';
import { readUtf8 } from '../../base/file-text.ts';
import { isObject } from '../../base/json.ts';
import { parseTimestamp } from '../../base/quantity.ts';
import { compileSchema } from '../../base/schema.ts';
import { schemaFaults } from '../../base/schema-faults.ts';
import type { Files } from '../../base/seams.ts';
import { faultsError, parseYaml, type YamlText } from '../../base/yaml-faults.ts';
import type { Connector } from '../../connectors/connector.ts';
import { parsePath, type Step } from '../../event/index.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../http/client.ts';

/** `case.yaml` of a recorded case. */
const CaseFile = Type.Object(
  {
    options: Type.Record(Type.String(), Type.Unknown(), {
      default: {},
      description:
        'Options of the source, as in a configuration; secrets are made up. {{ private_key }} stands for a key that is made for the run.',
    }),
    from: Type.Optional(Type.String({ description: 'Start of the recorded window, RFC 3339.' })),
    to: Type.Optional(Type.String({ description: 'End of the recorded window, RFC 3339.' })),
  },
  { additionalProperties: false },
);
type CaseFile = Static<typeof CaseFile>;

/** A recorded case: options and the window that was asked for, milliseconds. */
export interface TestCase {
  readonly name: string;
  readonly folder: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly window: { readonly from: number; readonly to: number } | undefined;
}

let validateFile: ReturnType<typeof compileSchema<CaseFile>> | undefined;

/** Reads `case.yaml`; throws PEN_CONFIG_INVALID with every fault of it, each with file, line and column. */
export async function readCase(connector: Connector, name: string, folder: string, files: Files): Promise<TestCase> {
  const file = join(folder, 'case.yaml');
  const isThere = (await files.readdir(folder)).includes('case.yaml');
  const doc = parseYaml(isThere ? await readUtf8(files, file) : '{}', file);
  if (doc.faults.length > 0) throw faultsError('PEN_CONFIG_INVALID', doc.faults);
  validateFile ??= compileSchema<CaseFile>(CaseFile);
  const value = doc.value ?? {};
  if (!validateFile(value)) throw faultsError('PEN_CONFIG_INVALID', schemaFaults(validateFile.errors, doc));
  const options = withKey(absolutePaths(checkedOptions(connector, value.options, doc), connector, folder));
  return { name, folder, options, window: windowOf(value, doc) };
}

function checkedOptions(connector: Connector, options: Record<string, unknown>, doc: YamlText): Record<string, unknown> {
  const validate = compileSchema<{ options: Record<string, unknown> }>({
    type: 'object',
    properties: { options: connector.options },
  });
  const value: unknown = { options };
  if (validate(value)) return value.options;
  throw faultsError('PEN_CONFIG_INVALID', schemaFaults(validate.errors, doc));
}

function absolutePaths(options: Record<string, unknown>, connector: Connector, folder: string): Record<string, unknown> {
  const properties = isObject(connector.options) ? connector.options['properties'] : undefined;
  const isPath = (name: string): boolean => {
    const schema = isObject(properties) ? properties[name] : undefined;
    return isObject(schema) && schema['format'] === 'path';
  };
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      isPath(name) && typeof value === 'string' ? resolve(folder, value) : value,
    ]),
  );
}

let madeKey: string | undefined;

/** A private key in the repository would set off every scanner of secrets, so a case only says where one belongs: in JSON or PEM text. */
function withKey(options: Record<string, unknown>): Record<string, unknown> {
  const made = (): string => {
    madeKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    return madeKey;
  };
  const filled = (text: string): string =>
    text.replaceAll('"{{ private_key }}"', () => JSON.stringify(made())).replaceAll('{{ private_key }}', made);
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, typeof value === 'string' ? filled(value) : value]),
  );
}

function windowOf({ from, to }: CaseFile, doc: YamlText): TestCase['window'] {
  if (from === undefined && to === undefined) return undefined;
  const bound = (name: 'from' | 'to', text: string | undefined): number => {
    const at = text === undefined ? undefined : parseTimestamp(text);
    if (at !== undefined) return at;
    throw faultsError('PEN_CONFIG_INVALID', [
      doc.fault([name], `${name} is not a time`, 'write a time such as 2026-11-21T10:00:00Z; from and to belong together'),
    ]);
  };
  const window = { from: bound('from', from), to: bound('to', to) };
  if (window.from <= window.to) return window;
  throw new PenstockError('PEN_CONFIG_INVALID', 'from lies after to', { where: doc.file });
}

// A vendor made of files: page-1.json is the first answer, page-2.json the second; page-1.headers, as `curl -D` writes it, goes with it.

interface RecordedReply {
  /** `page-1.json` */
  readonly file: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A client that answers from recordings and remembers what it was asked. */
export interface RecordedClient extends HttpClient {
  /** `GET https://host/path?query`, with a POST its body after it; one for each page asked for; requests for tokens do not count. */
  readonly asked: readonly string[];
}

const pageName = /^page-([1-9]\d*)\.json$/;

/** Reads the recorded answers of a case, in the order of their numbers. Throws PEN_OPERATION_FAILED when a number is missing. */
export async function readReplies(folder: string, files: Files): Promise<readonly RecordedReply[]> {
  const numbers = (await files.readdir(folder))
    .flatMap((name) => pageName.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const missing = numbers.findIndex((number, index) => number !== index + 1);
  if (missing >= 0)
    throw new PenstockError('PEN_OPERATION_FAILED', `page-${missing + 1}.json is missing`, {
      fix: 'number the recorded pages from 1 without a gap',
    });
  return Promise.all(numbers.map((number) => readReply(folder, `page-${number}`, files)));
}

async function readReply(folder: string, name: string, files: Files): Promise<RecordedReply> {
  const body = await files.readFile(join(folder, `${name}.json`), 'utf8');
  const names = await files.readdir(folder);
  const head = names.includes(`${name}.headers`) ? await files.readFile(join(folder, `${name}.headers`), 'utf8') : '';
  return { file: `${name}.json`, body, ...parseHead(head) };
}

/** Status and headers as `curl -D` or `curl -i` writes them; of several heads (redirects, proxies) the last counts. */
function parseHead(text: string): Pick<RecordedReply, 'status' | 'headers'> {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  const start = lines.findLastIndex((line) => line.startsWith('HTTP/'));
  const status = Number(/^HTTP\/\S+ (\d{3})/.exec(lines[start] ?? '')?.[1] ?? 200);
  const headers: Record<string, string> = {};
  for (const line of lines.slice(start + 1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon > 0) headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  // The recorded body is decompressed already, and its time is not now.
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding', 'date']) delete headers[name];
  return { status, headers };
}

/** True for a request for a token: its answer is a secret, and no page. */
export const isTokenRequest = ({ method, body, tokenAt }: HttpRequest): boolean =>
  tokenAt !== undefined || (method === 'POST' && typeof body === 'string' && /(^|&)grant_type=/.test(body));

/** What holds a value where a step of a path looks for it. */
function heldAt(inner: unknown, step: Step): unknown {
  if (typeof step === 'string') return { [step]: inner };
  if (typeof step === 'number') return Array.from({ length: step < 0 ? 1 : step + 1 }, () => inner);
  return [{ ...(isObject(inner) ? inner : {}), [step.key]: step.value }];
}

/** A token, where the one who asks looks for it. */
function tokenReply({ tokenAt }: HttpRequest): HttpResponse {
  if (tokenAt === undefined) return json({ access_token: 'recorded', token_type: 'Bearer', expires_in: 3600 });
  if ('header' in tokenAt) return { ...json({}), headers: { [tokenAt.header]: 'recorded' } };
  const steps = parsePath(tokenAt.path) ?? [];
  return json(steps.reduceRight<unknown>(heldAt, 'recorded'));
}

const json = (value: unknown): HttpResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
});

/** Answers page after page; one page more than was recorded rejects with PEN_OPERATION_FAILED. */
export function openRecordedClient(replies: readonly RecordedReply[]): RecordedClient {
  const asked: string[] = [];
  return {
    asked,
    request(request) {
      if (isTokenRequest(request)) return Promise.resolve(tokenReply(request));
      const body = typeof request.body === 'string' ? ` ${request.body}` : '';
      asked.push(`${request.method} ${request.url.href}${body}`);
      const reply = replies[asked.length - 1];
      if (reply !== undefined)
        return Promise.resolve({ status: reply.status, headers: reply.headers, body: Buffer.from(reply.body) });
      return Promise.reject(
        new PenstockError('PEN_OPERATION_FAILED', `after page-${replies.length}.json the walk asks for another page`, {
          fix: `record it as page-${asked.length}.json (${asked.at(-1)}), or correct read.page so that the walk ends there`,
        }),
      );
    },
    describeRoute: () => 'recorded',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
