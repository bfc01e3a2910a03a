import type { HttpOptions } from '../options.ts';
import { isoTime, jsonObject, jsonValue, type Preset } from '../preset.ts';
import { elasticsearch, opensearch } from './bulk.ts';
import { otlp } from './otlp.ts';

/**
 * Log intake, version 2. More than 1 MB of one log is cut by the receiver although it answers 2xx, so such an event never leaves here.
 *
 * Source: https://docs.datadoghq.com/api/latest/logs/send-logs/
 */
const datadog: Preset = {
  needs: ['url'],
  path: '/api/v2/logs',
  contentType: 'application/json',
  apiKey: { header: 'dd-api-key', prefix: '' },
  frame: () => ({ head: '[', tail: ']', cut: 1 }),
  entry: ({ hostname }) => {
    const host = JSON.stringify(hostname);
    return (event) => {
      const tags = JSON.stringify(`penstock_source:${event.source},penstock_table:${event.table}`);
      const message = JSON.stringify(event.body.toWellFormed());
      return `{"ddsource":"penstock","service":${JSON.stringify(event.table)},"hostname":${host},"ddtags":${tags},"message":${message}},`;
    };
  },
  probe: { method: 'POST', path: '/api/v2/logs', body: '[]' },
  limits: { eventBytes: 1_000_000, batchBytes: 5_000_000, batchEvents: 1000 },
};

/**
 * Raw log import of the Chronicle API. Each log carries its id as a label.
 *
 * Source: https://docs.cloud.google.com/chronicle/docs/reference/rest/v1alpha/projects.locations.instances.logTypes.logs/import
 */
const googleSecops: Preset = {
  needs: ['project', 'region', 'instance', 'log_type'],
  url: 'https://chronicle.{region}.rep.googleapis.com',
  path: '/v1alpha/projects/{project}/locations/{region}/instances/{instance}/logTypes/{log_type}/logs:import',
  contentType: 'application/json',
  scope: 'https://www.googleapis.com/auth/cloud-platform',
  frame: ({ options: { forwarder } }) => {
    const from = forwarder === undefined ? '' : `"forwarder":${JSON.stringify(forwarder)},`;
    return { head: `{"inlineSource":{${from}"logs":[`, tail: ']}}', cut: 1 };
  },
  entry: () => (event) => {
    const labels = `{"penstock_id":{"value":${JSON.stringify(event.uid)}},"penstock_source":{"value":${JSON.stringify(event.source)}}}`;
    const data = Buffer.from(event.body).toString('base64');
    return `{"data":"${data}","logEntryTime":"${isoTime(event.event.time)}","labels":${labels}},`;
  },
  probe: {
    method: 'POST',
    path: '/v1alpha/projects/{project}/locations/{region}/instances/{instance}/logTypes/{log_type}/logs:import',
    body: '{"inlineSource":{"logs":[]}}',
    proves: 'log type "{log_type}"',
  },
  limits: { batchBytes: 1_000_000 },
  // A burst limit, which ends after minutes. Source: https://docs.cloud.google.com/chronicle/docs/ingestion/burst-limits
  statuses: [{ from: 429, to: 429, means: 'retry', waitMs: 300_000 }],
};

/**
 * Logs Ingestion API. Every table has the column `TimeGenerated`; the other columns are the event's attributes.
 *
 * Source: https://learn.microsoft.com/en-us/azure/azure-monitor/logs/logs-ingestion-api-overview
 */
const sentinel: Preset = {
  needs: ['url', 'dcr', 'stream'],
  path: '/dataCollectionRules/{dcr}/streams/{stream}?api-version=2023-01-01',
  contentType: 'application/json',
  scope: 'https://monitor.azure.com/.default',
  frame: () => ({ head: '[', tail: ']', cut: 1 }),
  entry:
    ({ isJson }) =>
    (event) =>
      `${jsonObject(event, isJson, `"TimeGenerated":"${isoTime(event.event.time)}"`)},`,
  // The API takes an empty array, which delivers nothing.
  probe: {
    method: 'POST',
    path: '/dataCollectionRules/{dcr}/streams/{stream}?api-version=2023-01-01',
    body: '[]',
    proves: 'stream "{stream}" of rule "{dcr}"',
  },
  notes: [
    'warning: Azure puts the time of receipt in place of a TimeGenerated that is older than two days or lies a day ahead: declare the column "time" (milliseconds) to keep the time of a backfill or of a first run with "start: 30d"',
  ],
  receiverLimits: [
    {
      bytes: 65_536,
      says: 'Azure cuts the text of a column, and answers that all is well',
      fix: 'declare columns for the members of large attributes in the stream, or leave include_raw off',
    },
  ],
  // As Microsoft's own client does, both.
  compression: 'gzip',
  successStatus: 204,
  // 1 MB a call, before compression.
  limits: { batchBytes: 1_000_000 },
};

const plainText = 'text/plain; charset=utf-8';

/** What `body:` means without a preset: the same kind of data as a preset. */
function plain(body: 'ndjson' | 'json_array' | 'single', isJson: boolean): Preset {
  return plainBodies[body](isJson);
}

const ofPlain = { needs: ['url'], path: '', limits: {} } as const;
const noFrame = { head: '', tail: '', cut: 0 };

const plainBodies: Readonly<Record<'ndjson' | 'json_array' | 'single', (isJson: boolean) => Preset>> = {
  ndjson: (isJson) => ({
    ...ofPlain,
    contentType: isJson ? 'application/x-ndjson' : plainText,
    frame: () => noFrame,
    entry: () => (event) => [event.body, '\n'],
  }),
  json_array: () => ({
    ...ofPlain,
    contentType: 'application/json',
    frame: () => ({ head: '[', tail: ']', cut: 1 }),
    entry:
      ({ isJson }) =>
      (event) =>
        `${jsonValue(event, isJson)},`,
  }),
  single: (isJson) => ({
    ...ofPlain,
    contentType: isJson ? 'application/json' : plainText,
    frame: () => noFrame,
    entry: () => (event) => event.body,
    limits: { batchEvents: 1 },
  }),
};

const presets: Readonly<Record<NonNullable<HttpOptions['preset']>, Preset>> = {
  elasticsearch,
  opensearch,
  datadog,
  sentinel,
  google_secops: googleSecops,
  otlp,
};

/** The data that a configuration stands for: its preset's, or that of its plain `body`. */
export function presetOf({ preset, body }: HttpOptions, isJson: boolean): Preset {
  return preset === undefined ? plain(body, isJson) : presets[preset];
}
