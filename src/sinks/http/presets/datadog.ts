import type { Preset } from '../preset.ts';

/**
 * Log intake, version 2. More than 1 MB of one log is cut by the receiver although it answers 2xx, so such an event never leaves here.
 *
 * Source: https://docs.datadoghq.com/api/latest/logs/send-logs/
 */
export const datadog: Preset = {
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
  limits: { eventBytes: 1_000_000, batchBytes: 5_000_000, batchEvents: 1000 },
};
