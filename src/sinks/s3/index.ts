import { PenstockError } from '../../base/errors.ts';
import { durationMs, formatSize, sizeBytes } from '../../base/quantity.ts';
import type { ProbeReport, Sink, SinkContext, SinkType, Verdict } from '../sink.ts';
import { S3Options } from './options.ts';
import { Sender } from './send.ts';
import { defaultTimeoutMs, Store } from './store.ts';
import { type Uploading, upload } from './upload.ts';
import { verdictOfFault, wordsOf } from './verdicts.ts';

/** A bucket of Amazon S3 or of a store that speaks like it. */
export const s3: SinkType = {
  name: 's3',
  options: S3Options,
  defaultFormat: 'ocsf',
  speaksHttp: true,
  acknowledges: 'the store has the object that holds the event',
  open: (options, context) => Promise.resolve().then(() => openS3(options as S3Options, context)),
  check: (options) => faultsOf(options as S3Options),
  urls: ({ endpoint }) => (typeof endpoint === 'string' ? [endpoint] : []),
};

/** Opens a sink; no I/O happens before the first batch. */
export function openS3(options: S3Options, context: SinkContext): Sink {
  const store = new Store(options, context);
  const uploading = { store, options, clock: context.seams.clock };
  const sender = new Sender(uploading, context.name, context.timeoutMs ?? defaultTimeoutMs);
  return {
    endpoints: [store.origin],
    // Of two batches that the next process sends again the second may begin elsewhere: it would have another name.
    maxInFlight: 1,
    settlesFirst: true,
    maxEventBytes: Number.MAX_SAFE_INTEGER,
    encode: ({ body }) => [body, '\n'],
    send: async (batch, signal) => ({ all: await sender.send(batch, signal) }),
    withdraw: (event, signal) => sender.withdraw(event, signal),
    probe: (signal) => probeS3(uploading, context.seams.random.hex(4), signal),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const leastPartBytes = 5 * 2 ** 20;

function faultsOf(options: S3Options): (readonly [string, string, string])[] {
  const { endpoint, region, layout, account_id, access_key_id, secret_access_key, session_token, multipart_above, batch } =
    options;
  const faults: [string, string, string][] = [];
  if (endpoint === undefined && region === undefined)
    faults.push(['region', 'Amazon S3 needs "region"', 'add region: ..., or endpoint: ... of another store']);
  if (layout === 'security_lake' && (region === undefined || account_id === undefined))
    faults.push(['layout', 'layout: security_lake needs "region" and "account_id"', 'add both']);
  if ((access_key_id === undefined) !== (secret_access_key === undefined))
    faults.push(['access_key_id', 'access_key_id and secret_access_key go together', 'set both, or neither']);
  if (session_token !== undefined && access_key_id === undefined)
    faults.push(['session_token', 'session_token belongs to an access key', 'add access_key_id and secret_access_key']);
  if (sizeBytes(multipart_above) < leastPartBytes || sizeBytes(multipart_above) > 5 * 2 ** 30)
    faults.push(['multipart_above', 'a part has 5MiB at least and 5GiB at most', 'set multipart_above: 32MB']);
  if (options.path_style === false && !/^[a-z0-9.-]+$/.test(options.bucket))
    faults.push(['path_style', `no host has the name "${options.bucket}"`, 'remove path_style, or set it to true']);
  if (durationMs(batch.wait) >= durationMs(options.stalled_after))
    faults.push(['stalled_after', 'stalled_after is not longer than batch.wait', 'raise stalled_after']);
  return faults;
}

/** As large as the largest events are. */
const probeBytes = 1_048_576;

/** Writes an object, reads its size and deletes it. Writing alone is what delivery needs: the rest is said, not demanded. */
async function probeS3(uploading: Uploading, id: string, signal: AbortSignal): Promise<ProbeReport> {
  const { bucket, prefix } = uploading.options;
  // What begins with an underscore is no data to Athena, Spark and Hive.
  const key = `${prefix === undefined ? '' : `${prefix}/`}_penstock-check-${id}`;
  const verdict = await written(uploading, key, signal);
  if (verdict.kind !== 'accept') {
    const reason = 'reason' in verdict ? verdict.reason : verdict.kind;
    const fix = verdict.kind === 'hold' ? verdict.fix : 'check "endpoint" of the sink, and that the store is well';
    return { ok: false, findings: [`s3:PutObject on ${bucket}/${key}: ${reason}`], fix };
  }
  const size = formatSize(probeBytes);
  return {
    ok: true,
    findings: [
      `an object of ${size} was written to bucket "${bucket}"`,
      await read(uploading, key, signal),
      await deleted(uploading, key, signal),
    ],
  };
}

async function written(uploading: Uploading, key: string, signal: AbortSignal): Promise<Verdict> {
  try {
    return await upload(uploading, { key, body: Buffer.alloc(probeBytes) }, signal);
  } catch (error) {
    if (error instanceof PenstockError) return verdictOfFault(error);
    throw error;
  }
}

async function read({ store }: Uploading, key: string, signal: AbortSignal): Promise<string> {
  const sent = await store.ask({ method: 'GET', key, headers: { range: 'bytes=0-0' }, signal });
  if ('failed' in sent) return 'it could not be read again: no answer';
  const size = /\/(\d+)$/.exec(sent.response.headers['content-range'] ?? '')?.[1];
  if (sent.response.status === 206 && size !== undefined)
    return Number(size) === probeBytes ? 'the store has all of it' : `the store has ${size} of ${probeBytes} bytes`;
  return `it could not be read again, which delivery does not need (s3:GetObject): ${wordsOf(sent.response)}`;
}

async function deleted({ store }: Uploading, key: string, signal: AbortSignal): Promise<string> {
  const sent = await store.ask({ method: 'DELETE', key, signal });
  if ('response' in sent && sent.response.status < 300) return 'it was deleted';
  const why = 'response' in sent ? wordsOf(sent.response) : 'no answer';
  return `it could not be deleted, which delivery does not need (s3:DeleteObject): ${why}; delete ${key} by hand`;
}
