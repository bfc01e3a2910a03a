import { foreignNumber, isObject } from '../../../base/json.ts';
import type { Verdicts } from '../../sink.ts';
import { parseAnswer } from '../answer.ts';
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
  success: readSuccess,
  probe: { method: 'POST', path: '/v1/logs', body: '{"resourceLogs":[]}' },
};

/** A success may say that records were rejected, or warn with none rejected. Its JSON may spell names as the schema does or in camel case. */
function readSuccess(body: Buffer, size: number): Verdicts | undefined {
  const answer = parseAnswer(body);
  const partial = memberOf(answer, 'partialSuccess', 'partial_success');
  if (!isObject(partial)) return undefined;
  const refused = foreignNumber(memberOf(partial, 'rejectedLogRecords', 'rejected_log_records'));
  const message = memberOf(partial, 'errorMessage', 'error_message');
  const warning = typeof message === 'string' && message !== '' ? message : undefined;
  if (!(refused > 0)) return warning === undefined ? undefined : { all: { kind: 'accept', warning } };
  if (refused < size) return { all: { kind: 'accept', refused, warning } };
  const reason = `the receiver rejected every log record of the request${warning === undefined ? '' : `: ${warning}`}`;
  return { each: Array.from({ length: size }, () => ({ kind: 'event', code: 'partial_success', reason })) };
}

function memberOf(object: Readonly<Record<string, unknown>>, ...names: readonly string[]): unknown {
  const name = names.find((one) => Object.hasOwn(object, one));
  return name === undefined ? undefined : object[name];
}

/** 64-bit integers are decimal strings in OTLP's JSON. */
function nanoseconds(ms: number): string {
  return ms <= 0 ? '0' : `${Math.trunc(ms)}000000`;
}
