import { isoTime, jsonObject, type Preset } from '../preset.ts';

/**
 * Logs Ingestion API. Every table has the column `TimeGenerated`; the other columns are the event's attributes.
 *
 * Source: https://learn.microsoft.com/en-us/azure/azure-monitor/logs/logs-ingestion-api-overview
 */
export const sentinel: Preset = {
  needs: ['url', 'dcr', 'stream'],
  path: '/dataCollectionRules/{dcr}/streams/{stream}?api-version=2023-01-01',
  contentType: 'application/json',
  scope: 'https://monitor.azure.com/.default',
  frame: () => ({ head: '[', tail: ']', cut: 1 }),
  entry:
    ({ isJson }) =>
    (event) =>
      `${jsonObject(event, isJson, `"TimeGenerated":"${isoTime(event.event.time)}"`)},`,
  // 1 MB a call, whether compressed or not.
  limits: { batchBytes: 1_000_000 },
};
