// What a receiver can answer costs in proportion to its length.
import { describe, expect, it } from 'vitest';
import type { HttpResponse } from '../../src/http/client.ts';
import { describeAnswer, namesDestination, strangersVerdict, wordsOfEvents } from '../../src/sinks/exchange.ts';
import { numberAt, parseAnswer } from '../../src/sinks/http/answer.ts';
import { elasticsearch } from '../../src/sinks/http/presets/bulk.ts';
import { codeOf, verdictOf } from '../../src/sinks/s3/verdicts.ts';
import { readAcks, readAnswer } from '../../src/sinks/splunk-hec/answer.ts';
import { createRelpParser } from '../../src/sinks/syslog/relp-session.ts';
import { awkwardRuns, expectLinear, repeated } from '../cost.ts';

const answer = (body: string): HttpResponse => ({ status: 400, headers: {}, body: Buffer.from(body) });

describe.each(Object.entries(awkwardRuns))('an answer of %s', (_name, run) => {
  it('is read in linear time', () => {
    expectLinear((length) => {
      const text = repeated(run, length);
      const item = { create: { status: 400, error: { type: text, reason: text } } };
      const bodies = [text, JSON.stringify({ code: 6, text, acks: { [text]: true }, failed: text, items: [item], errors: true })];
      return bodies.map((body) => [
        describeAnswer(answer(body)),
        numberAt(Buffer.from(body), 'failed'),
        readAnswer(answer(body), undefined),
        readAcks(Buffer.from(body)),
        codeOf(answer(body)),
        verdictOf(answer(`<Error><Code>${body}<Code ${body}<Message>`), undefined),
        elasticsearch.success?.(Buffer.from(body), 1, false),
      ]);
    });
  });
});

describe.each(Object.entries(awkwardRuns))('a refusal that names a place, of an event of %s', (_name, run) => {
  it('is held against the words of the event in linear time', () => {
    expectLinear((length) => {
      const text = JSON.stringify({ note: repeated(run, length) });
      const said = `no such index ${text}`;
      return [
        namesDestination(
          said,
          wordsOfEvents(() => [text]),
        ),
        strangersVerdict({ ...answer(said), status: 502 }),
      ];
    });
  });
});

it.each(['<script ', '<style></style', '</script ', '<b'])('of pages of %s is told in linear time', (run) => {
  expectLinear((length) => describeAnswer(answer(`<!doctype html>${repeated(run, length)}`)));
});

it('of millions of empty objects is none', () => {
  expect(parseAnswer(Buffer.from(`{"items":[${'{},'.repeat(4_000_000)}{}]}`))).toEqual({});
});

it('in RELP is the same in whichever chunks it comes, and costs what its bytes cost', () => {
  const frames = [1, 2, 3].map((n) => `${n} rsp 100 ${'x'.repeat(99)}${n}\n`).join('');
  const parser = createRelpParser();

  const found = Array.from(frames).flatMap((byte) => parser.push(Buffer.from(byte)));

  expect(found.map(({ txnr, data }) => [txnr, data.toString()])).toEqual([1, 2, 3].map((n) => [n, `${'x'.repeat(99)}${n}`]));
  expectLinear((length) => {
    const slow = createRelpParser();
    const size = length / 10;
    slow.push(Buffer.from(`1 rsp ${size} `));
    for (let at = 0; at < size; at += 1) slow.push(Buffer.from('x'));
  });
});
