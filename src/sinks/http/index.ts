import { PenstockError } from '../../base/errors.ts';
import { isJsonFormat } from '../../event/index.ts';
import type { Sink, SinkContext, SinkType } from '../sink.ts';
import { openAuthorizer, readKeyFile, standardWebhooks } from './authorize.ts';
import { HttpOptions } from './options.ts';
import { type EntryContext, fill, type Preset } from './preset.ts';
import { presetOf } from './presets/index.ts';
import { baseOf, probeHttp, reachesHttp } from './probe.ts';
import { httpSend, type Sending } from './send.ts';

/** Any receiver that takes events by HTTP. */
export const http: SinkType = {
  name: 'http',
  options: HttpOptions,
  defaultFormat: 'ocsf',
  speaksHttp: true,
  acknowledges: 'a 2xx, after a look inside for partial failures',
  open: (options, context) => Promise.resolve().then(() => openHttp(options as HttpOptions, context)),
  check: (options) => faultsOf(options as HttpOptions),
  urls: (options) => urlsOf(options as HttpOptions),
};

/** Opens a sink; no I/O happens before the first batch. Throws PEN_CONFIG_INVALID for a secret that has not the form of one. */
export function openHttp(options: HttpOptions, context: SinkContext): Sink {
  const format = context.format ?? 'ocsf';
  const isJson = isJsonFormat(format);
  const preset = presetOf(options, isJson);
  const compression = options.compression ?? preset.compression ?? 'none';
  const entry: EntryContext = { format, isJson, hostname: context.hostname, version: context.version, options };
  const secrets = options.signature?.standard_webhooks;
  const sending: Sending = {
    options,
    context,
    preset,
    compression,
    entry,
    url: targetOf(options, preset),
    authorizer: openAuthorizer(options.auth, preset, context),
    sign: secrets === undefined ? undefined : standardWebhooks(secrets),
  };
  const { eventBytes = Number.MAX_SAFE_INTEGER, batchBytes, batchEvents } = preset.limits;
  const frame = preset.frame(entry);
  const around = Buffer.byteLength(frame.head) + Buffer.byteLength(frame.tail);
  const room = (batchBytes ?? Number.MAX_SAFE_INTEGER) - around;
  return {
    endpoints: [sending.url.origin],
    maxInFlight: 256,
    maxEventBytes: Math.min(eventBytes, room),
    maxBatchBytes: batchBytes === undefined ? undefined : room,
    maxBatchEvents: batchEvents,
    encode: preset.entry(entry),
    send: httpSend(sending),
    receiverLimits: preset.receiverLimits ?? [],
    reaches: (_, signal) => reachesHttp(sending, signal),
    probe: (signal, largestBytes) => probeHttp(sending, signal, largestBytes),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function targetOf(options: HttpOptions, preset: Preset): URL {
  const base = options.url ?? fill(preset.url ?? '', options);
  return new URL(preset.path === '' ? base : `${baseOf(base)}${fill(preset.path, options)}`);
}

function urlsOf({ url, auth }: HttpOptions): readonly string[] {
  return [url, auth?.oauth2?.token_url].filter((one) => one !== undefined);
}

/** Headers that describe the body or the connection: another value would be a lie. */
const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'idempotency-key',
  'transfer-encoding',
]);

function faultsOf(options: HttpOptions): (readonly [string, string, string])[] {
  const preset = presetOf(options, true);
  const name = options.preset === undefined ? 'type: http' : `preset: ${options.preset}`;
  const missing = preset.needs
    .filter((key) => options[key] === undefined && !(key === 'url' && preset.url !== undefined))
    .map((key) => [key, `${name} needs "${key}"`, `add ${key}: ...`] as const);
  const base = options.url === undefined ? undefined : new URL(options.url);
  const inUrl: readonly (readonly [string, string, string])[] =
    base !== undefined && (base.username !== '' || base.password !== '')
      ? [['url', 'credentials do not belong into the URL', 'put them into "auth: {basic: {username, password}}"']]
      : [];
  const key: readonly (readonly [string, string, string])[] =
    options.auth?.api_key !== undefined && preset.apiKey === undefined
      ? [['auth.api_key', `${name} names no header for a key`, 'use "auth: {header: {name, value}}"']]
      : [];
  const headers = Object.keys(options.headers ?? {})
    .filter((header) => ownHeaders.has(header.toLowerCase()))
    .map((header) => [`headers.${header}`, `"${header}" is set by the sink itself`, 'remove it'] as const);
  return [...missing, ...inUrl, ...key, ...headers, ...indexFaults(options), ...secretFaults(options)];
}

/** Source: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create */
function indexFaults({ preset, index = 'x' }: HttpOptions): (readonly [string, string, string])[] {
  const isSearch = preset === 'elasticsearch' || preset === 'opensearch';
  if (!isSearch || index.startsWith('<') || /^[^-_+A-Z\s\\/*?"<>|,#:][^A-Z\s\\/*?"<>|,#:]*$/.test(index)) return [];
  const plain = index
    .toLowerCase()
    .replaceAll(/[\s\\/*?"<>|,#:]+/g, '-')
    .replace(/^[-_+]+/, '');
  return [['index', `"${index}" cannot be the name of an index or data stream`, `write ${plain}`]];
}

/** Secrets that have not the form of one; their values are not repeated. */
function secretFaults({ auth, signature }: HttpOptions): (readonly [string, string, string])[] {
  const keyFile = auth?.google_service_account;
  const attempts: [string, () => void][] = (signature?.standard_webhooks ?? []).map((secret, at) => [
    `signature.standard_webhooks.${at}`,
    () => void standardWebhooks([secret]),
  ]);
  if (keyFile !== undefined) attempts.push(['auth.google_service_account', () => void readKeyFile(keyFile)]);
  return attempts.flatMap(([path, attempt]) => {
    try {
      attempt();
      return [];
    } catch (error) {
      if (!(error instanceof PenstockError)) throw error;
      return [[path, error.message, error.fix ?? 'check the secret'] as const];
    }
  });
}
