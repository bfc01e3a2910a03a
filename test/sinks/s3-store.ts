// A store in memory behind a real HTTP server, for what a test has to see and for awkward answers. It believes every signature.
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compileSchema } from '../../src/base/schema.ts';
import { S3Options } from '../../src/sinks/s3/options.ts';
import { openReceiver, type Receiver, type Reply, type Seen } from './http-receiver.ts';

/** The options of a sink with a schema's defaults, with a key that is no secret. */
export function s3Options(own: Readonly<Record<string, unknown>> = {}): S3Options {
  const filled: unknown = { bucket: 'lake', access_key_id: 'AKIATEST', secret_access_key: 'secret-key-of-test', ...own };
  const check = compileSchema(S3Options);
  if (!check(filled)) throw new Error(`the options do not fit the schema: ${JSON.stringify(check.errors)}`);
  return filled as S3Options;
}

export interface FakeStore extends Receiver {
  /** By name without the bucket. */
  readonly objects: Map<string, Buffer>;
  /** Uploads that are neither completed nor abandoned. */
  readonly uploads: Map<string, Buffer[]>;
  /** The uids of an object's events. */
  uids(key: string): string[];
}

/** An error as S3 gives it. */
export function storeError(status: number, code: string, more = '', headers: Record<string, string> = {}): Reply {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Words &amp; more</Message>${more}</Error>`;
  return { status, body, headers: { 'content-type': 'application/xml', ...headers } };
}

/** Opens a store; `answer` may answer in its place, before anything is stored, or, with `isStored`, after it. */
export async function openStore(
  answer: (request: Seen, count: number) => Reply | undefined = () => undefined,
  isStored = false,
): Promise<FakeStore> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer[]>();
  const receiver = await openReceiver((request, count) => {
    const own = isStored ? undefined : answer(request, count);
    return own ?? (isStored ? (storeAfter(request), answer(request, count)) : undefined) ?? act(request);
  });
  const storeAfter = (request: Seen): void => void act(request);
  const act = ({ method, path, bytes }: Seen): Reply => {
    const url = new URL(path, 'http://store');
    const key = decodeURIComponent(url.pathname.slice('/lake/'.length));
    const id = url.searchParams.get('uploadId');
    const etag = { etag: `"${bytes.length}"` };
    if (method === 'POST' && id === null) {
      const made = `upload ${uploads.size} ${'x'.repeat(500)}`;
      uploads.set(made, []);
      return { status: 200, body: `<InitiateMultipartUploadResult><UploadId>${made}</UploadId></InitiateMultipartUploadResult>` };
    }
    if (method === 'PUT' && id !== null) {
      uploads.get(id)?.push(bytes);
      return { status: 200, headers: etag };
    }
    if (method === 'POST' && id !== null) {
      objects.set(key, Buffer.concat(uploads.get(id) ?? []));
      uploads.delete(id);
      return { status: 200, body: '\n  \n<CompleteMultipartUploadResult xmlns="x"><Key>k</Key></CompleteMultipartUploadResult>' };
    }
    if (method === 'DELETE') {
      if (id === null) objects.delete(key);
      else uploads.delete(id);
      return { status: 204 };
    }
    if (method === 'GET')
      return { status: 206, body: 'x', headers: { 'content-range': `bytes 0-0/${objects.get(key)?.length ?? 0}` } };
    objects.set(key, bytes);
    return { status: 200, headers: etag };
  };
  return {
    ...receiver,
    objects,
    uploads,
    uids(key) {
      const bytes = objects.get(key) ?? Buffer.alloc(0);
      const text = key.endsWith('.gz') ? gunzipSync(bytes) : key.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes;
      return uidsOf(text.toString('utf8'));
    },
  };
}

/** The uids in NDJSON, whether in the events' own `uid` or in their metadata. */
export function uidsOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line does not end');
  return lines.map((line) => {
    const { uid, metadata } = JSON.parse(line) as { uid?: string; metadata?: { uid: string } };
    return uid ?? metadata?.uid ?? '';
  });
}
