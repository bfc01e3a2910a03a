import { numberAt } from '../answer.ts';
import type { EntryContext, Preset } from '../preset.ts';

/** OpenTelemetry's severity numbers by OCSF severity_id. Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
const severities: Readonly<Record<number, readonly [number, string]>> = {
  1: [9, 'INFO'],
  2: [10, 'INFO2'],
  3: [13, 'WARN'],
  4: [17, 'ERROR'],
  5: [18, 'ERROR2'],
  6: [21, 'FATAL'],
};
const unspecified: readonly [number, string] = [9, 'INFO'];

const attribute = (key: string, value: string): string =>
  `{"key":${JSON.stringify(key)},"value":{"stringValue":${JSON.stringify(value)}}}`;

/**
 * OTLP/HTTP logs in JSON: each event is the string body of a log record. It has its own rules of what may be sent again.
 *
 * Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#otlphttp
 */
export const otlp: Preset = {
  needs: ['url'],
  path: '/v1/logs',
  contentType: 'application/json',
  frame: ({ hostname, version }: EntryContext) => {
    const resource = [
      attribute('service.name', 'penstock'),
      attribute('service.version', version),
      attribute('host.name', hostname),
    ];
    const scope = `{"name":"penstock","version":${JSON.stringify(version)}}`;
    return {
      head: `{"resourceLogs":[{"resource":{"attributes":[${resource.join(',')}]},"scopeLogs":[{"scope":${scope},"logRecords":[`,
      tail: ']}]}]}',
      cut: 1,
    };
  },
  entry: () => (event) => {
    const [number, text] = severities[event.event.severity_id] ?? unspecified;
    const attributes = [
      attribute('penstock.id', event.uid),
      attribute('penstock.source', event.source),
      attribute('penstock.table', event.table),
    ];
    const body = JSON.stringify(event.body.toWellFormed());
    const time = `"timeUnixNano":"${nanoseconds(event.event.time)}"`;
    return `{${time},"severityNumber":${number},"severityText":"${text}","body":{"stringValue":${body}},"attributes":[${attributes.join(',')}]},`;
  },
  limits: { batchBytes: 19_000_000 },
  statuses: [
    { from: 408, to: 408, means: 'event' },
    { from: 425, to: 425, means: 'event' },
    { from: 500, to: 501, means: 'event' },
    { from: 505, to: 599, means: 'event' },
  ],
  success: (body, size) => {
    const refused = numberAt(body, 'partialSuccess.rejectedLogRecords') ?? 0;
    if (refused <= 0) return undefined;
    if (refused < size) return { all: { kind: 'accept', refused } };
    const reason = 'the receiver rejected every log record of the request';
    return { each: Array.from({ length: size }, () => ({ kind: 'event', code: 'partial_success', reason })) };
  },
  probe: { method: 'POST', path: '/v1/logs', body: '{"resourceLogs":[]}' },
};

/** 64-bit integers are decimal strings in OTLP's JSON. */
function nanoseconds(ms: number): string {
  return ms <= 0 ? '0' : `${Math.trunc(ms)}000000`;
}
