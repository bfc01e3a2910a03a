// Replies as JSON, whatever they are written in and wrapped in: of token endpoints, receivers and brokers as of vendors.
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { readFrame } from '../../src/connectors/pulsar-websocket/frame.ts';
import { jsonOf, readToken, refreshTokenIn } from '../../src/http/index.ts';
import { doubtOf, numberAt } from '../../src/sinks/http/answer.ts';
import { readAcks, readAnswer } from '../../src/sinks/splunk-hec/answer.ts';

const seams = systemSeams();

const wrappings: readonly (readonly [string, (json: string) => Buffer])[] = [
  ['nothing', (json) => Buffer.from(json)],
  ["`)]}',`", (json) => Buffer.from(`)]}',\n${json}`)],
  ['`while(1);`', (json) => Buffer.from(`while(1);${json}`)],
  ['a byte order mark', (json) => Buffer.from(`\ufeff${json}`)],
  ['two byte order marks and a guard', (json) => Buffer.from(`\ufeff\ufeff)]}'\n${json}`)],
  ['NULs behind it', (json) => Buffer.from(`${json}\0\0`)],
  ['UTF-16', (json) => Buffer.from(`\ufeff${json}`, 'utf16le')],
  ['a raw line break in a text', (json) => Buffer.from(json.replace('"', '"\n'))],
];

it.each(wrappings)('reads what each peer says in %s', (what, wrap) => {
  const reply = (value: object, status = 200) => ({
    status,
    headers: {},
    body: wrap(JSON.stringify(what.startsWith('a raw') ? { 'a note': '', ...value } : value)),
  });

  expect(jsonOf(reply({ a: 1 }))).toMatchObject({ a: 1 });
  expect(readToken(reply({ access_token: 't', expires_in: 60 }), 'https://x', seams)).toEqual({ token: 't', lifetimeMs: 60_000 });
  expect(refreshTokenIn(reply({ refresh_token: 'next' }))).toBe('next');
  expect(() => readToken(reply({ error: 'invalid_grant' }, 400), 'https://x', seams)).toThrow('answered 400 "invalid_grant"');
  expect(readAnswer(reply({ text: 'Success', code: 0, ackId: 7 }), undefined)).toMatchObject({ code: 0, ackId: 7 });
  expect(readAcks(reply({ acks: { 7: true } }).body)).toEqual(new Set([7]));
  expect(numberAt(reply({ refused: 3 }).body, 'refused')).toBe(3);
  expect(doubtOf(reply({ errors: ['one'] }))).toContain('may have refused some of it');
});

it.each(wrappings.filter(([what]) => what !== 'UTF-16'))('reads a message of a topic that is wrapped in %s', (what, wrap) => {
  const payload = wrap(JSON.stringify({ id: 'a' })).toString('base64');
  const message = readFrame('topic', JSON.stringify({ messageId: 'm', payload }));

  expect(message?.records).toEqual([
    what.startsWith('a raw') ? { id: 'm', value: { '\nid': 'a' }, labels: ['mended'] } : { id: 'm', value: { id: 'a' } },
  ]);
});

it.each([")]}',", 'while(1);', '\ufeff', '\0'])('gives up a reply of nothing but %j at once', (guard) => {
  const body = Buffer.from(guard.repeat(1_000_000));

  expect(jsonOf({ headers: {}, body })).toBeUndefined();
});
