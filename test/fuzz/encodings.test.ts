import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, isObject, parseJson } from '../../src/base/json.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Format, formats } from '../../src/event/event.ts';
import { encodeBody, isJsonFormat, redact } from '../../src/event/index.ts';
import { joined } from '../../src/sinks/encoded.ts';
import type { EntryContext } from '../../src/sinks/http/preset.ts';
import { presetOf } from '../../src/sinks/http/presets/index.ts';
import { envelopeEncoder } from '../../src/sinks/splunk-hec/encode.ts';
import { compileMessage } from '../../src/sinks/syslog/message.ts';
import type { SyslogOptions } from '../../src/sinks/syslog/options.ts';
import { frame } from '../../src/sinks/syslog/stream.ts';
import { connectorNames, loadConnector } from '../event/load-connector.ts';
import { outgoing } from '../sinks/sink-bench.ts';
import { fuzz } from './fuzz.ts';
import { anyText, chanceOf, json, type Written, writeJson } from './texts.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1_795_000_000_000 };
const uid = '0123456789abcdef0123456789abcdef';
const connectors = connectorNames.map(loadConnector);
const lineBreak = /[\n\r\v\f\u0085\u2028\u2029]/;

/** A record of a vendor in which some members are whatever somebody wrote. */
const record = fc
  .tuple(fc.nat(2), fc.nat(), fc.array(fc.tuple(fc.nat(30), json), { maxLength: 4 }), fc.nat())
  .map(([which, sampleAt, changes, seed]) => {
    const connector = connectors[which] ?? connectors[0];
    const sample = connector?.samples[sampleAt % connector.samples.length] ?? {};
    const names = Object.keys(sample);
    const changed = new Map<string, string>(Object.entries(sample).map(([key, value]) => [key, JSON.stringify(value)]));
    for (const [at, { value, text }] of changes) changed.set(names[at] ?? nameIn(value), text);
    const chance = chanceOf(seed);
    const members = [...changed].map(([key, text]) => `${writeJson({ text: key }, chance)}:${text}`);
    return { which, text: `{${members.join(',')}}` };
  });

const nameIn = (value: Written): string => value.text ?? value.members?.[0]?.[0] ?? 'more';

/** What is delivered of it in a format. */
function bodyOf({ which, text }: { readonly which: number; readonly text: string }, format: Format, includeRaw: boolean): string {
  const mapped = connectors[which]?.mapper.map({ uid, received: 1, record: redact(parseJson(text)) }, page);
  if (mapped === undefined) throw new Error('no connector');
  return encodeBody(format, mapped, { includeRaw });
}

const inFormat = fc.tuple(record, fc.constantFrom(...formats), fc.boolean());

it('a record becomes one well-formed line in every format, and JSON where the format is', () => {
  fuzz(
    inFormat,
    ([found, format, includeRaw]) => {
      const line = bodyOf(found, format, includeRaw);

      expect([lineBreak.test(line), line.isWellFormed()]).toEqual([false, true]);
      if (isJsonFormat(format))
        expect(canonicalJson(parseJson(line))).toBe(canonicalJson(parseJson(canonicalJson(parseJson(line)))));
      // In the extension a bar needs no escape.
      if (format === 'cef') expect(line.split(/(?<!\\)(?:\\\\)*\|/).length).toBeGreaterThanOrEqual(8);
      if (format === 'leef') expect(line).toMatch(/^LEEF:2\.0\|[^|]*\|[^|]*\|cloud\|[^|]*\|x09\|(?:\w+=[^\t]*(?:\t|$))+$/);
    },
    { weight: 8 },
  );
});

it('an event in the envelope of HEC is one JSON object with the keys that HEC knows and no more', () => {
  fuzz(
    fc.tuple(inFormat, anyText),
    ([[found, format, includeRaw], source]) => {
      const event = outgoing({ source, body: bodyOf(found, format, includeRaw) });
      const envelope = joined(envelopeEncoder({}, 'host', format)(event));

      expect([envelope.endsWith('}\n'), envelope.indexOf('\n')]).toEqual([true, envelope.length - 1]);
      expect(Object.keys(parseJson(envelope) as object)).toEqual(['time', 'host', 'source', 'sourcetype', 'event', 'fields']);
    },
    { weight: 8 },
  );
});

it('events in the body of an HTTP receiver are as many JSON documents as there are events', () => {
  const presets = ['elasticsearch', 'otlp', 'datadog', 'sentinel'] as const;
  fuzz(
    fc.tuple(fc.constantFrom(...presets), fc.array(record, { minLength: 1, maxLength: 3 }), fc.constantFrom(...formats)),
    ([name, records, format]) => {
      const context = {
        format,
        isJson: isJsonFormat(format),
        hostname: 'host',
        version: '1',
        options: { type: 'http', preset: name },
      } as unknown as EntryContext;
      const preset = presetOf(context.options, context.isJson);
      const write = preset.entry(context);
      const { head, tail, cut } = preset.frame(context);
      const entries = records.map((one) => joined(write(outgoing({ body: bodyOf(one, format, false) })))).join('');
      const body = `${head}${entries.slice(0, entries.length - cut)}${tail}`;

      const documents =
        name === 'elasticsearch'
          ? body
              .trimEnd()
              .split('\n')
              .map((line) => parseJson(line))
          : [parseJson(body)].flat();
      if (name === 'elasticsearch') expect(documents).toHaveLength(records.length * 2);
      else if (name === 'otlp') expect(body.split('"penstock.id"')).toHaveLength(records.length + 1);
      else expect(documents).toHaveLength(records.length);
      expect(documents.filter((document) => !isObject(document))).toEqual([]);
    },
    { weight: 12 },
  );
});

const header =
  /^<\d{1,3}>1 (?:-|\d{4}-\d\d-\d\dT[\d:.]+Z) [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} \[[^ \]]+(?: \w+="(?:[^"\\\]]|\\["\\\]])*")+\]/;

it('a message of syslog keeps to RFC 5424 and its size, and nothing in it ends its frame', () => {
  const options = fc.record({
    rfc: fc.constantFrom(5424, 3164),
    oversize: fc.constantFrom('truncate', 'refuse'),
    facility: fc.integer({ min: 0, max: 23 }),
    app_name: fc.oneof(fc.constant('penstock'), anyText),
    enterprise_number: fc.constant(32_473),
    bom: fc.boolean(),
  });
  const event = fc.record({ uid: anyText, source: anyText, actionKey: anyText, body: anyText });
  fuzz(fc.tuple(options, event, anyText, fc.integer({ min: 900, max: 1100 })), ([chosen, parts, hostname, most]) => {
    const long = { ...parts, body: parts.body.repeat(40) };
    const message = compileMessage(chosen as SyslogOptions, { hostname, procid: '1' }, most, silentLog()).encode(outgoing(long));
    const framed = Buffer.from(frame(message, 'octet_counting'));

    // oxlint-disable-next-line no-control-regex
    expect(/[\0-\x08\x0a-\x1f\x7f]/.test(message)).toBe(false);
    if (chosen.rfc === 5424) expect(message).toMatch(header);
    if (chosen.oversize === 'truncate' && Buffer.byteLength(message.slice(0, message.length - long.body.length)) < most)
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(most);
    expect(framed.subarray(framed.indexOf(' ') + 1)).toHaveLength(Number(framed.toString('latin1', 0, framed.indexOf(' '))));
    expect(frame(message, 'lf').indexOf('\n')).toBe(message.length);
  });
});
