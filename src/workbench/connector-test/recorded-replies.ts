// A vendor made of files: page-1.json is the first answer, page-2.json the second; page-1.headers, as `curl -D` writes it, goes with it.
import { join } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import type { Files } from '../../base/seams.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../http/client.ts';

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

const isTokenRequest = ({ method, body }: HttpRequest): boolean =>
  method === 'POST' && typeof body === 'string' && /(^|&)grant_type=/.test(body);

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
      if (isTokenRequest(request))
        return Promise.resolve(json({ access_token: 'recorded', token_type: 'Bearer', expires_in: 3600 }));
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
