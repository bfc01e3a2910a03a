import { durationMs, sizeBytes } from '../../base/quantity.ts';
import type { Sink, SinkContext, SinkType } from '../sink.ts';
import { Acknowledgements } from './acknowledge.ts';
import { envelopeEncoder } from './encode.ts';
import { SplunkHecOptions } from './options.ts';
import { probeHec, reachesHec } from './probe.ts';
import { askForAcks, askWhetherAcknowledged, openPosts } from './request.ts';
import { hecSend } from './send.ts';

/** Splunk's HTTP Event Collector. */
export const splunkHec: SinkType = {
  name: 'splunk_hec',
  options: SplunkHecOptions,
  defaultFormat: 'cim',
  speaksHttp: true,
  acknowledges: 'HEC took the batch; with indexer acknowledgement: it is indexed',
  open: (options, context) => Promise.resolve(openSplunkHec(options as SplunkHecOptions, context)),
  check: (options) => {
    const { endpoints, token, index } = options as SplunkHecOptions;
    const faults = endpoints.flatMap((endpoint, at) => endpointFaults(endpoint, at));
    return [...faults, ...repeatedEndpoints(endpoints), ...wordFaults({ token, index })];
  },
  urls: (options) => (options as SplunkHecOptions).endpoints,
};

const longestPatienceMs = 5000;

/** Opens a sink; no I/O happens before the first batch. */
export function openSplunkHec(options: SplunkHecOptions, context: SinkContext): Sink {
  const posts = openPosts(options.token, context);
  const settings = {
    pollMs: durationMs(options.ack_poll),
    timeoutMs: durationMs(options.ack_timeout),
    // A request that is not under way yet must not look like one that got no answer.
    patienceMs: Math.min(longestPatienceMs, (context.timeoutMs ?? 30_000) / 2),
  };
  const questions = { ask: askForAcks(posts.postNewest, context.seams.clock), askWhether: askWhetherAcknowledged(posts.post) };
  const acknowledgements =
    options.acknowledge === 'off' ? undefined : new Acknowledgements(settings, context.seams, context.log, questions);
  return {
    endpoints: options.endpoints,
    maxInFlight: 256,
    maxEventBytes: sizeBytes(options.max_event_bytes),
    encode: envelopeEncoder(options, context.hostname, context.format ?? 'cim'),
    send: hecSend(options, context, posts.post, acknowledgements),
    flush: async (signal) => await acknowledgements?.flush(signal),
    receiverLimits: [
      {
        bytes: 10_000,
        says: 'Splunk cuts an event (TRUNCATE = 10000) and still answers code 0',
        fix: 'set TRUNCATE = 0, or more than that, for the sourcetypes penstock:* in props.conf',
      },
    ],
    reaches: (endpoint, signal) => reachesHec(endpoint, posts.post, signal),
    probe: (signal, largestBytes) => probeHec({ options, context, post: posts.post, largestBytes }, signal),
    [Symbol.asyncDispose]: async () => await acknowledgements?.[Symbol.asyncDispose](),
  };
}

/**
 * Names of indexes are lower case letters, digits, "_" and "-".
 * Source: https://docs.splunk.com/Documentation/Splunk/9.2.3/Indexer/Aboutindexesandindexers
 */
function wordFaults({ token, index }: Pick<SplunkHecOptions, 'token' | 'index'>): (readonly [string, string, string])[] {
  const plain = index?.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, '_');
  return [
    ...(/\s/.test(token) ? [['token', 'a token has no blanks', 'copy it again from Splunk'] as const] : []),
    ...(index === plain ? [] : [['index', `"${index}" cannot be the name of an index`, `write ${plain}`] as const]),
  ];
}

/** The same place in another spelling: with a slash at its end, its usual port, or capitals. */
function repeatedEndpoints(endpoints: readonly string[]): (readonly [string, string, string])[] {
  const origins = endpoints.map((endpoint) => new URL(endpoint).origin);
  return origins.flatMap((origin, at) => {
    const first = endpoints[origins.indexOf(origin)] ?? '';
    return first === endpoints[at] ? [] : [[`endpoints.${at}`, `this is the same place as ${first}`, 'leave it out'] as const];
  });
}

function endpointFaults(endpoint: string, at: number): (readonly [string, string, string])[] {
  const path = `endpoints.${at}`;
  const url = new URL(endpoint);
  const base = `write ${url.origin}`;
  if (url.username !== '' || url.password !== '' || url.search !== '')
    return [[path, 'credentials do not belong into the URL', `${base} and put the token into "token"`]];
  if (/^https?$/.test(url.hostname) && url.port === '')
    return [[path, 'the scheme stands there twice', `write ${endpoint.replace(/^\w+:\/\//, '')}`]];
  if (url.pathname !== '/' || url.hash !== '') return [[path, `an endpoint has no path, this one has "${url.pathname}"`, base]];
  return [];
}
