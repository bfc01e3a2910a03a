import { isoTime, type Preset } from '../preset.ts';

/**
 * Raw log import of the Chronicle API. Each log carries its id as a label.
 *
 * Source: https://docs.cloud.google.com/chronicle/docs/reference/rest/v1alpha/projects.locations.instances.logTypes.logs/import
 */
export const googleSecops: Preset = {
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
  limits: { batchBytes: 1_000_000 },
  // A burst limit, which ends after minutes. Source: https://docs.cloud.google.com/chronicle/docs/ingestion/burst-limits
  statuses: [{ from: 429, to: 429, means: 'retry', waitMs: 300_000 }],
};
