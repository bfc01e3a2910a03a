// Whatever a vendor or somebody in front of it sends: every record becomes an event, every event one line.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, isObject, parseJson } from '../../src/base/json.ts';
import { type Format, formats } from '../../src/event/event.ts';
import { cefHeader, cefValue, encodeBody, isJsonFormat, redact } from '../../src/event/index.ts';
import { faultsOf } from '../ocsf/faults.ts';
import { fewOrMany } from '../thorough.ts';
import { connectorNames, loadConnector } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1_795_000_000_000 };
const uid = '0123456789abcdef0123456789abcdef';
const loaded = connectorNames.map(loadConnector);
// A counterexample names the connector instead of printing it.
const anyConnector = fc.constantFrom(
  ...loaded.map((connector) => ({ ...connector, [fc.toStringMethod]: () => connector.mapper.table })),
);

// biome-ignore format: a list
const nastyTexts = ['', ' ', '\n', '\r\n', '\t', '\u2028', '\u0000', '\ud800', '😀', '|', '=', '\\', '"', '__proto__', 'null', 'Unknown', '\u0085x', '2026-11-20', 'a@example.com', '192.0.2.1', '::1', 'group', 'user', '{"a":', '[1,2]', '{"secret":"x"}'];
const nasty = fc.constantFrom(...nastyTexts);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  nasty,
  fc.array(nasty).map((parts) => parts.join('')),
);
const scalar = fc.oneof(text, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null));
const value = fc.oneof(
  { maxDepth: 3 },
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.oneof(text, fc.constantFrom('name', 'id', 'constructor', 'toString')), scalar, { maxKeys: 4 }),
);

/** A sample with any of its fields, at both levels, replaced, removed or joined by others. */
const record = anyConnector.chain((connector) =>
  fc.record({
    connector: fc.constant(connector),
    raw: fc
      .tuple(
        fc.constantFrom(...connector.samples),
        fc.array(fc.tuple(fc.nat(), fc.nat(), value), { maxLength: 6 }),
        fc.dictionary(text, value, { maxKeys: 2 }),
      )
      .map(([sample, changes, more]) => {
        const copy: Record<string, unknown> = { ...structuredClone(sample), ...more };
        for (const [first, second, replacement] of changes) {
          const key = Object.keys(copy)[first % Object.keys(copy).length] ?? '';
          const inner = copy[key];
          if (typeof inner === 'object' && inner !== null && !Array.isArray(inner) && second % 3 > 0) {
            const keys = Object.keys(inner);
            (inner as Record<string, unknown>)[keys[second % Math.max(1, keys.length)] ?? 'x'] = replacement;
          } else copy[key] = replacement;
        }
        return parseJson(JSON.stringify(copy));
      }),
  }),
);

/** Paths of attributes that are null or empty; what the vendor sent stays as it was below unmapped. */
function empties(node: unknown, path = ''): string[] {
  if (node === null || node === '' || node === undefined) return [path];
  if (typeof node !== 'object') return [];
  return Object.entries(node).flatMap(([key, child]) =>
    path === '' && key === 'unmapped' ? [] : empties(child, `${path}.${key}`),
  );
}

const lineBreak = /[\n\r\v\f\u0085\u2028\u2029]/;

describe('any record', () => {
  it('becomes a valid event without an empty attribute', () => {
    fc.assert(
      fc.property(record, ({ connector, raw }) => {
        const mapped = connector.mapper.map({ uid, received: 1, record: redact(raw) }, page);

        expect(mapped.failed).toBeUndefined();
        expect(empties(mapped.event)).toEqual([]);
        expect(faultsOf(JSON.parse(JSON.stringify(mapped.event)))).toEqual([]);
        expect(mapped.event.type_uid % 100).toBe(mapped.event['activity_id']);
      }),
      { numRuns: fewOrMany(150, 2000) },
    );
  });

  it.each(formats)('encodes as one well-formed line of %s, and JSON reads back', (format) => {
    fc.assert(
      fc.property(record, fc.boolean(), ({ connector, raw }, includeRaw) => {
        const mapped = connector.mapper.map({ uid, received: 1, record: redact(raw) }, page);

        const line = encodeBody(format, mapped, { includeRaw });

        expect(lineBreak.test(line)).toBe(false);
        expect(line.isWellFormed()).toBe(true);
        if (isJsonFormat(format))
          expect(canonicalJson(parseJson(line))).toBe(canonicalJson(parseJson(JSON.stringify(parseJson(line)))));
        if (format === 'ocsf' && !includeRaw)
          expect(parseJson(line)).toEqual(wellFormed(parseJson(JSON.stringify(mapped.event))));
      }),
      { numRuns: fewOrMany(100, 1500) },
    );
  });

  it('that is not even an object goes out with its text', () => {
    fc.assert(
      fc.property(anyConnector, scalar, ({ mapper }, odd) => {
        const mapped = mapper.map({ uid, received: 1, record: odd }, page);

        expect(mapped.event).toMatchObject({ class_uid: 0, raw_data: typeof odd === 'string' ? odd : JSON.stringify(odd) });
        for (const format of formats) expect(lineBreak.test(encodeBody(format, mapped, { includeRaw: true }))).toBe(false);
      }),
    );
  });
});

/** What the encoder makes of halves of surrogate pairs, in keys too. */
function wellFormed(node: unknown): unknown {
  if (typeof node === 'string') return node.toWellFormed();
  if (Array.isArray(node)) return node.map(wellFormed);
  if (!isObject(node)) return node;
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key.toWellFormed(), wellFormed(child)]));
}

describe('nesting', () => {
  const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);

  it.each(formats)('of 200 levels arrives whole in %s', (format: Format) => {
    const raw = { ...loaded[1]?.samples[4], context: nested(200) };
    const mapped = loaded[1]?.mapper.map({ uid, received: 1, record: redact(raw) }, page);

    const line = mapped === undefined ? '' : encodeBody(format, mapped, { includeRaw: true });

    expect(mapped?.failed).toBeUndefined();
    expect(line.includes('{"a":1}')).toBe(isJsonFormat(format));
  });

  it.each(formats)('of 100,000 levels breaks nothing in %s', (format: Format) => {
    const raw = { ...loaded[1]?.samples[4], context: nested(100_000) };
    const mapped = loaded[1]?.mapper.map({ uid, received: 1, record: raw }, page);

    const line = mapped === undefined ? '' : encodeBody(format, mapped, { includeRaw: true });

    expect(mapped?.failed).toBeUndefined();
    expect(line.length).toBeGreaterThan(100);
  });
});

describe('CEF escaping', () => {
  const printable = fc.string({ unit: 'grapheme' }).map((one) => one.replace(/[\p{Cc}\u2028\u2029]/gu, ' ').toWellFormed());

  it('gives every header back', () => {
    fc.assert(
      fc.property(printable, (header) => {
        expect(cefHeader(header, 1_000_000).replace(/\\([\\|])/g, '$1')).toBe(header);
      }),
    );
  });

  it('gives every value back, line breaks included', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(printable, fc.constantFrom('\n', '\r', '\\', '=', '\\n'))), (parts) => {
        const plain = parts.join('');

        const escaped = cefValue(plain, 1_000_000);

        expect(/[\n\r]/.test(escaped)).toBe(false);
        expect(escaped.replace(/\\(.)/g, (_all, one: string) => ({ n: '\n', r: '\r' })[one] ?? one)).toBe(plain);
      }),
    );
  });
});
