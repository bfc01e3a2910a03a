// How people call what a sink can be, and what a first configuration says of it.
import { nearest } from '../base/nearest.ts';
import { sinkTypes } from '../sinks/index.ts';

/** Options as they stand in the file. */
export type Values = Readonly<Record<string, unknown>>;

const https = (name: string, port = ''): string => `https://YOUR_${name}${port}`;
const search = (name: string, auth: Values): Values => ({
  type: 'http',
  preset: name,
  url: https(`${name.toUpperCase()}_HOST`, ':9200'),
  index: 'logs-penstock.audit-default',
  format: 'ecs',
  compression: 'gzip',
  auth,
});

/** What a first configuration says of each kind of sink; a type that is not here says what its schema requires. */
export const starters: Readonly<Record<string, Values>> = {
  file: { type: 'file', path: './out/audit.ndjson', rotate: { size: '100MB', every: 'day' } },
  http: { type: 'http', url: https('RECEIVER'), auth: { bearer: '${env:HTTP_TOKEN}' }, body: 'ndjson' },
  kafka: {
    type: 'kafka',
    brokers: ['tls://YOUR_BROKER:9092'],
    topic: 'penstock.audit',
    auth: { scram_sha_512: { username: 'YOUR_KAFKA_USER', password: '${env:KAFKA_PASSWORD}' } },
  },
  s3: { type: 's3', bucket: 'YOUR_BUCKET', region: 'us-east-1', prefix: 'penstock' },
  splunk_hec: {
    type: 'splunk_hec',
    endpoints: [https('SPLUNK_HOST', ':8088')],
    token: '${env:SPLUNK_HEC_TOKEN}',
    index: 'audit',
  },
  stdout: { type: 'stdout' },
  syslog: { type: 'syslog', address: 'tls://YOUR_SYSLOG_HOST:6514', format: 'cef' },
  elasticsearch: search('elasticsearch', { api_key: '${env:ELASTICSEARCH_API_KEY}' }),
  opensearch: search('opensearch', { basic: { username: 'YOUR_OPENSEARCH_USER', password: '${env:OPENSEARCH_PASSWORD}' } }),
  datadog: {
    type: 'http',
    preset: 'datadog',
    url: 'https://http-intake.logs.datadoghq.com',
    auth: { api_key: '${env:DATADOG_API_KEY}' },
  },
  sentinel: {
    type: 'http',
    preset: 'sentinel',
    url: https('DATA_COLLECTION_ENDPOINT'),
    dcr: 'dcr-YOUR_RULE_ID',
    stream: 'Custom-Penstock_CL',
    auth: {
      oauth2: {
        token_url: 'https://login.microsoftonline.com/YOUR_TENANT_ID/oauth2/v2.0/token',
        client_id: 'YOUR_APPLICATION_ID',
        client_secret: '${env:SENTINEL_CLIENT_SECRET}',
      },
    },
  },
  google_secops: {
    type: 'http',
    preset: 'google_secops',
    project: 'YOUR_PROJECT',
    region: 'us',
    instance: 'YOUR_INSTANCE_ID',
    log_type: 'YOUR_LOG_TYPE',
    auth: { google_service_account: '${file:./google-key.json}' },
  },
  otlp: { type: 'http', preset: 'otlp', url: https('COLLECTOR', ':4318'), auth: { bearer: '${env:OTLP_TOKEN}' } },
};

/** Other words that people try for a kind of sink. */
const otherWords: Readonly<Record<string, string>> = {
  splunk: 'splunk_hec',
  hec: 'splunk_hec',
  elastic: 'elasticsearch',
  elk: 'elasticsearch',
  microsoft_sentinel: 'sentinel',
  azure_sentinel: 'sentinel',
  azure: 'sentinel',
  azure_monitor: 'sentinel',
  log_analytics: 'sentinel',
  chronicle: 'google_secops',
  secops: 'google_secops',
  opentelemetry: 'otlp',
  otel: 'otlp',
  webhook: 'http',
  https: 'http',
  rest: 'http',
  tcp: 'syslog',
  udp: 'syslog',
  tls: 'syslog',
  relp: 'syslog',
  rsyslog: 'syslog',
  syslog_ng: 'syslog',
  cef: 'syslog',
  leef: 'syslog',
  qradar: 'syslog',
  arcsight: 'syslog',
  aws_s3: 's3',
  minio: 's3',
  bucket: 's3',
  security_lake: 's3',
  redpanda: 'kafka',
  confluent: 'kafka',
  event_hubs: 'kafka',
  console: 'stdout',
  print: 'stdout',
  screen: 'stdout',
  ndjson: 'file',
  json: 'file',
};

/** Kinds of sinks that a first configuration can have: types, and presets of `type: http`. */
export const sinkChoices: readonly string[] = [...new Set([...Object.keys(sinkTypes), ...Object.keys(starters)])];

const plain = (word: string): string => word.toLowerCase().replaceAll(/[\s-]+/g, '_');

/** The choice that a word means in other words; undefined when none does. */
export function sinkChoiceFor(word: string): string | undefined {
  const asked = plain(word);
  return sinkChoices.find((choice) => choice === asked) ?? (Object.hasOwn(otherWords, asked) ? otherWords[asked] : undefined);
}

/** The choice that a word means or misspells. */
export function sinkChoiceLike(word: string): string | undefined {
  const guess = nearest(word, [...sinkChoices, ...Object.keys(otherWords)]);
  return sinkChoiceFor(word) ?? (guess === undefined ? undefined : sinkChoiceFor(guess));
}

/** What to write for a `type:` that is none of these types; undefined when nobody knows what is meant. */
export function typeFor(word: string, types: readonly string[]): string | undefined {
  const choice = sinkChoiceLike(word);
  const { type = choice, preset } = choice === undefined ? {} : (starters[choice] ?? {});
  if (typeof type !== 'string' || !types.includes(type)) return undefined;
  return typeof preset === 'string' ? `type: ${type} with preset: ${preset}` : `"${type}"`;
}
