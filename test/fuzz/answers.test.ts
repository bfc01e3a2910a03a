import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isObject, parseJson } from '../../src/base/json.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { describeAnswer } from '../../src/sinks/exchange.ts';
import { numberAt } from '../../src/sinks/http/answer.ts';
import { elasticsearch } from '../../src/sinks/http/presets/bulk.ts';
import { otlp } from '../../src/sinks/http/presets/otlp.ts';
import type { Verdicts } from '../../src/sinks/sink.ts';
import {
  asksSlower,
  classifyRefusal,
  hasStoredSome,
  isAccepted,
  readAcks,
  readAnswer,
} from '../../src/sinks/splunk-hec/answer.ts';
import { fuzz } from './fuzz.ts';
import { anyText, json, mutated } from './texts.ts';

const status = fc.oneof(
  fc.constantFrom(200, 201, 400, 401, 403, 404, 408, 409, 413, 429, 500, 503),
  fc.integer({ min: 100, max: 599 }),
);
const odd = fc.oneof(anyText, fc.integer(), fc.double(), fc.constantFrom(null, true, [], {}));
const size = fc.integer({ min: 1, max: 5 });

const kindsOf = (verdicts: Verdicts, count: number): string[] =>
  'all' in verdicts ? Array.from({ length: count }, () => verdicts.all.kind) : verdicts.each.map(({ kind }) => kind);

const hecBody = fc.oneof(
  fc
    .record(
      {
        text: odd,
        code: fc.oneof(fc.integer({ min: -1, max: 110 }), odd),
        'invalid-event-number': fc.oneof(fc.integer({ min: -2, max: 7 }), odd),
        ackId: odd,
      },
      { requiredKeys: [] },
    )
    .map((body) => JSON.stringify(body)),
  json.map(({ text }) => text),
  anyText,
);

it('an answer to HEC gives each event one verdict, and accepts none of a refused batch but those before the bad one', () => {
  fuzz(fc.tuple(status, mutated(hecBody), size, fc.boolean()), ([code, body, count, acknowledged]) => {
    const answer = readAnswer({ status: code, headers: {}, body: Buffer.from(body) }, undefined);
    const verdicts = classifyRefusal(answer, count, acknowledged);
    const kinds = kindsOf(verdicts, count);

    expect(kinds).toHaveLength(count);
    if (isAccepted(answer)) expect([code >= 200 && code < 300, answer.code !== undefined]).toEqual([true, true]);
    if (kinds.includes('accept'))
      expect([acknowledged, kinds.lastIndexOf('accept') < kinds.indexOf('event')]).toEqual([false, true]);
    if (hasStoredSome(answer)) expect(answer.eventNumber).toBeGreaterThan(0);
    expect(typeof asksSlower(answer)).toBe('boolean');
  });
});

it('acknowledgements are those that an answer calls true', () => {
  const acks = fc.dictionary(fc.oneof(fc.nat().map(String), anyText), fc.oneof(fc.boolean(), odd));
  fuzz(acks, (said) => {
    const found = readAcks(Buffer.from(JSON.stringify({ acks: said })));
    const wanted = Object.entries(parseJson(JSON.stringify(said)) as object).filter(([, value]) =>
      [true, 'true'].includes(value),
    );

    expect(new Set([...(found ?? [])].filter(Number.isInteger))).toEqual(
      new Set(wanted.map(([id]) => Number(id)).filter(Number.isInteger)),
    );
  });
});

const item = fc
  .tuple(
    fc.constantFrom('create', 'index'),
    fc.oneof(status, status.map(String), odd),
    fc.oneof(fc.record({ type: odd, reason: odd }), odd),
  )
  .map(([action, code, error]) => ({ [action]: { status: code, error } }));

it('an answer of the bulk API accepts exactly what it says is stored', () => {
  fuzz(fc.tuple(fc.array(item, { minLength: 1, maxLength: 5 }), fc.boolean()), ([items, errors]) => {
    const body = JSON.stringify({ errors, items });
    const kinds = kindsOf(elasticsearch.success?.(Buffer.from(body), items.length, false) ?? { each: [] }, items.length);
    const said = (JSON.parse(body) as { items: Record<string, { status?: unknown; error?: unknown }>[] }).items.map((one) => {
      const [action, { status: code, error }] = Object.entries(one)[0] ?? ['', {}];
      const hasError = isObject(error) ? Object.keys(error).length > 0 : typeof error === 'string' && error !== '';
      return { action, hasError, code: typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code };
    });
    const isFailed = said.map(({ code, hasError }) => hasError || (typeof code === 'number' && code >= 300));
    const stored = said.map(({ action, code }, index) => {
      if (!errors && !isFailed.includes(true)) return true;
      if (code === 409 && action === 'create') return true;
      return typeof code === 'number' && code >= 200 && isFailed[index] === false;
    });

    expect(kinds.map((kind) => kind === 'accept')).toEqual(stored);
  });
});

it('any other answer to a bulk request or to OTLP leaves no event without a verdict', () => {
  const body = mutated(
    fc.oneof(
      json.map(({ text }) => text),
      fc.array(item, { maxLength: 5 }).map((items) => JSON.stringify({ errors: true, items })),
      odd.map((rejected) => JSON.stringify({ partialSuccess: { rejectedLogRecords: rejected, errorMessage: '' } })),
    ),
  );
  fuzz(fc.tuple(body, size), ([text, count]) => {
    const bulk = elasticsearch.success?.(Buffer.from(text), count, false) ?? { each: [] };
    const logs = otlp.success?.(Buffer.from(text), count, false);

    expect(kindsOf(bulk, count)).toHaveLength(count);
    if (logs !== undefined) expect(kindsOf(logs, count)).toHaveLength(count);
    if (logs !== undefined && 'all' in logs && logs.all.kind === 'accept') expect(logs.all.refused ?? 0).toBeLessThan(count);
    expect(numberAt(Buffer.from(text), 'partialSuccess.rejectedLogRecords') ?? 0).not.toBeNaN();
  });
});

it('an answer is told on one line that steers nothing', () => {
  const secrets = createSecrets();
  fuzz(fc.tuple(status, anyText), ([code, text]) => {
    const said = secrets.tell(describeAnswer({ status: code, headers: {}, body: Buffer.from(text) }));

    expect(/\p{Cc}/u.test(said)).toBe(false);
    expect(said.isWellFormed()).toBe(true);
  });
});
