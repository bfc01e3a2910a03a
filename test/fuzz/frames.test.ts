import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, isObject, parseJson } from '../../src/base/json.ts';
import { readFrame, readFrameBytes } from '../../src/connectors/pulsar-websocket/frame.ts';
import { createRelpParser, relpFrame } from '../../src/sinks/syslog/relp-session.ts';
import { fuzz, resultOf } from './fuzz.ts';
import { anyBytes, anyText, json, mutated } from './texts.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const frameOf = (payload: string): string =>
  JSON.stringify({ messageId: 'CAEQAA==', payload: base64(payload), publishTime: '2026-11-20T10:15:30Z', redeliveryCount: 0 });

it('a message of Pulsar carries the records that were sent, each with an id of its own', () => {
  fuzz(fc.array(json, { minLength: 1, maxLength: 4 }), (sent) => {
    const texts = sent.map(({ text }) => text);
    const message = readFrame('topic', frameOf(`[${texts.join(',')}]`));

    const wanted = texts.map((text) => parseJson(text));
    expect(
      message?.records.map(({ value, unreadable }) => (unreadable === undefined ? canonicalJson(value) : undefined)),
    ).toEqual(wanted.map((value) => (isObject(value) ? canonicalJson(value) : undefined)));
    expect(new Set(message?.records.map(({ id }) => id)).size).toBe(texts.length);
  });
});

it('any frame of Pulsar becomes records or is none, and nothing of it is thrown away silently', () => {
  const frames = fc.oneof(
    anyBytes,
    mutated(json.map(({ text }) => frameOf(text))).map((text) => Buffer.from(text)),
    mutated(anyText.map(frameOf)).map((text) => Buffer.from(text)),
  );
  fuzz(frames, (bytes) => {
    const message = readFrameBytes('topic', bytes);

    if (message === undefined) expect(bytes.toString('utf8')).toContain('endOfTopic');
    else {
      const isEmptyList = message.messageId !== '' && message.records.length === 0;
      expect(message.records.length > 0 || isEmptyList).toBe(true);
      expect(message.records.filter(({ value, unreadable }) => unreadable === undefined && !isObject(value))).toEqual([]);
    }
  });
});

type RelpFrame = ReturnType<ReturnType<typeof createRelpParser>['push']>[number];

/** What a parser makes of chunks: the frames, and whether it gave up. */
function parsed(chunks: readonly Buffer[]): { readonly frames: RelpFrame[]; readonly isRelp: boolean } {
  const parser = createRelpParser();
  const frames: RelpFrame[] = [];
  for (const chunk of chunks) {
    const found = resultOf(
      () => parser.push(chunk),
      (error) => error instanceof Error && error.message.startsWith('the receiver '),
    );
    if ('error' in found) return { frames, isRelp: false };
    frames.push(...found.value);
  }
  return { frames, isRelp: true };
}

/** Bytes in pieces of the given lengths, the rest at once. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return [...chunks, bytes.subarray(at)];
}

const relp = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 999_999_999 }), fc.constantFrom('rsp', 'serverclose', 'open'), anyText),
  { maxLength: 4 },
);
const lengths = fc.array(fc.nat(9), { maxLength: 30 });

it('frames of RELP come out as they were written, however they were cut on the way', () => {
  fuzz(fc.tuple(relp, lengths), ([sent, pieces]) => {
    const bytes = Buffer.from(sent.map(([txnr, command, data]) => relpFrame(txnr, command, data)).join(''));

    const { frames, isRelp } = parsed(cut(bytes, pieces));

    expect(isRelp).toBe(true);
    expect(frames.map(({ txnr, command, data }) => [txnr, command, data.toString('utf8')])).toEqual(
      sent.map(([txnr, command, data]) => [txnr, command, data.toWellFormed()]),
    );
  });
});

it('bytes that are no RELP are refused in words, at the same place in whichever chunks they come', () => {
  const written = relp.map((sent) => sent.map(([txnr, command, data]) => relpFrame(txnr, command, data)).join(''));
  const bytes = fc.oneof(
    anyBytes,
    mutated(written).map((text) => Buffer.from(text)),
  );
  fuzz(fc.tuple(bytes, lengths), ([all, pieces]) => {
    const single = parsed(Array.from(all, (byte) => Buffer.from([byte])));
    const cutUp = parsed(cut(all, pieces));

    expect(cutUp.isRelp).toBe(single.isRelp);
    // Frames that share a chunk with what is no RELP are not given out any more.
    expect(single.frames.slice(0, cutUp.frames.length)).toEqual(cutUp.frames);
    if (single.isRelp) expect(cutUp.frames).toEqual(single.frames);
  });
});
