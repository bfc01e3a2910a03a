// How syslog messages are written, one test per statement.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { joined } from '../../src/sinks/encoded.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import {
  bsdTimestamp,
  headerField,
  nextSequence,
  paramValue,
  priority,
  timestamp,
  withSequence,
} from '../../src/sinks/syslog/message.ts';
import { parseAddress } from '../../src/sinks/syslog/options.ts';
import { frame } from '../../src/sinks/syslog/stream.ts';
import { makeCertificates } from '../http/certificates.ts';
import { listen, uncount } from '../sinks/receiver.ts';
import { parse5424 } from '../sinks/rfc5424.ts';
import { batchOf, contextFor, kindsOf, never, numbered, openSink, outgoing, until } from '../sinks/sink-bench.ts';
import { fewOrMany } from '../thorough.ts';

// What a hostile vendor would put into a field: controls, escapes, surrogates, frames, structured data.
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\n',
        '\r',
        '\0',
        '\x1f',
        '\x7f',
        '\u2028',
        '\u0085',
        '\uFEFF',
        '\uD800',
        '\uDC00',
        '😀',
        '"',
        '\\',
        ']',
        '[',
        '=',
      ),
      fc.constantFrom('\n<110>1 - - - - - - forged', '125 <110>1', '[a@1 b="c"]', '\\u00', '\\\\', '\t'),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join(''));

const lengthOf = (text: string): number => Buffer.byteLength(text);
const wellFormed = (text: string): string => text.toWellFormed();

async function openEncoder(options: Record<string, unknown> = {}): Promise<Sink> {
  return await openSink(syslog, { address: 'tcp://127.0.0.1:1', ...options });
}

it('PRI is 0 to 191 without leading zeros, and facility 13 with severity 6 gives <110>', async () => {
  await using sink = await openEncoder();

  expect(joined(sink.encode(outgoing({ severity: 1 })))).toMatch(/^<110>1 /);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 23 }),
      fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 99), fc.integer()),
      (facility, severity) => {
        expect(`<${priority(facility, outgoing({ severity }).event)}>`).toMatch(/^<(0|[1-9]\d?|1[0-8]\d|19[01])>$/);
      },
    ),
  );
  expect([0, 1, 2, 3, 4, 5, 6, 99].map((severity) => priority(0, outgoing({ severity }).event))).toEqual([
    5, 6, 5, 4, 3, 2, 2, 5,
  ]);
});

it('TIMESTAMP is RFC 3339 with T, Z and at most 6 fraction digits, never with second 60', () => {
  expect(timestamp(1_795_254_300_123)).toBe('2026-11-21T09:45:00.123Z');
  fc.assert(
    fc.property(
      fc.oneof(fc.integer(), fc.double(), fc.constantFrom(Number.NaN, 8.64e15, -8.64e15, 253_402_300_800_000)),
      (ms) => {
        expect(timestamp(ms)).toMatch(/^(-|\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,6})?Z)$/);
      },
    ),
  );
});

it('HOSTNAME, APP-NAME, PROCID and MSGID are cut at 255, 48, 128 and 32, printable ASCII, and - when empty', async () => {
  expect(headerField('  ', 32)).toBe('-');
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, async (hostname, app_name, actionKey) => {
      const long = (text: string): string => text.repeat(40);
      await using sink = await openSink(
        syslog,
        { address: 'tcp://127.0.0.1:1', app_name: `${long(app_name)} ` },
        contextFor({ hostname: long(hostname) }),
      );

      const { hostname: host, appName, procId, msgId } = parse5424(joined(sink.encode(outgoing({ actionKey: long(actionKey) }))));

      const limits: [string, number][] = [
        [host, 255],
        [appName, 48],
        [procId, 128],
        [msgId, 32],
      ];
      for (const [field, max] of limits) expect(field).toMatch(new RegExp(`^[\\x21-\\x7e]{1,${max}}$`));
    }),
    { numRuns: fewOrMany(20, 300) },
  );
  await using sink = await openEncoder();
  expect(parse5424(joined(sink.encode(outgoing({ actionKey: undefined })))).msgId).toBe('-');
});

it('PARAM-VALUE escapes exactly ", \\ and ], and a parser from the grammar gets the original back', () => {
  expect(paramValue('a "q" b\\c d]e\n=[')).toBe('a \\"q\\" b\\\\c d\\]e\n=[');
  fc.assert(
    fc.property(hostile, (text) => {
      const message = `<110>1 - - - - - [penstock@32473 note="${paramValue(text)}"] x`;
      expect(parse5424(message).elements.get('penstock@32473')).toEqual([['note', text]]);
    }),
  );
});

it('SD-IDs are unique, own ones carry the enterprise number, and 32473 warns', async () => {
  const warnings: unknown[] = [];
  const log = { ...contextFor().log, warn: (fields: unknown) => warnings.push(fields) } as never;
  const own = await openSink(syslog, { address: 'tcp://127.0.0.1:1', enterprise_number: 4711 }, { log });
  const before = warnings.length;
  await openSink(syslog, { address: 'tcp://127.0.0.1:1' }, { log });

  const message = parse5424(withSequence(joined(own.encode(outgoing())), 7));

  // The parser throws when an SD-ID occurs twice.
  expect([...message.elements.keys()]).toEqual(['meta', 'penstock@4711']);
  expect({ before, after: warnings }).toEqual({ before: 0, after: [{ enterprise_number: 32_473 }] });
});

it('With bom: true MSG starts with EF BB BF, otherwise it never does', async () => {
  await using without = await openEncoder();
  await using with_ = await openEncoder({ bom: true });

  fc.assert(
    fc.property(hostile, (body) => {
      expect(parse5424(joined(without.encode(outgoing({ body })))).msg?.startsWith('\uFEFF')).toBe(false);
      expect(parse5424(joined(with_.encode(outgoing({ body })))).msg).toMatch(/^\uFEFF(?!\uFEFF)/);
    }),
  );
});

it('Truncation never splits a UTF-8 sequence, an escape pair or the structured data', async () => {
  const sinks = await Promise.all(
    Array.from({ length: 24 }, (_, more) => openEncoder({ max_message: `${480 + more}B`, oversize: 'truncate' })),
  );

  fc.assert(
    fc.property(hostile, fc.nat(23), fc.nat(7), (text, index, shift) => {
      const body = `${'p'.repeat(shift)}${JSON.stringify({ text: text.repeat(30) })}${'é✓😀\\"\\u001f'.repeat(60)}`;
      const sink = sinks[index] as Sink;
      const event = outgoing({ body, source: text.slice(0, 20) });

      const message = joined(sink.encode(event));

      const { msg, elements } = parse5424(message);
      expect(lengthOf(withSequence(message, 2_147_483_647))).toBeLessThanOrEqual(480 + index);
      expect([...elements.keys()]).toEqual(['penstock@32473']);
      // oxlint-disable-next-line no-control-regex
      expect(wellFormed(body.replace(/[\0-\x1f\x7f]/g, ' ')).startsWith(msg ?? '')).toBe(true);
      expect(/(^|[^\\])(\\\\)*\\(u[0-9a-f]{0,3})?$/.test(msg ?? '')).toBe(false);
    }),
  );
});

it('Octet counting counts bytes: the golden vector starts with 125 and has no trailing LF', () => {
  const golden =
    '<110>1 2026-11-21T09:45:00.123Z host1 penstock 42 user.login [penstock@32473 id="01J" note="a \\"q\\" b\\\\c d\\]e"] \uFEFFhéllo ✓';

  const framed = frame(golden, 'octet_counting');

  expect({ characters: golden.length, octets: lengthOf(golden), framed }).toEqual({
    characters: 120,
    octets: 125,
    framed: `125 ${golden}`,
  });
  expect(parse5424(golden).elements.get('penstock@32473')).toEqual([
    ['id', '01J'],
    ['note', 'a "q" b\\c d]e'],
  ]);
});

it('With LF framing no LF or CR occurs inside a frame for any input', async () => {
  for (const rfc of [5424, 3164]) {
    await using sink = await openEncoder({ rfc });
    fc.assert(
      fc.property(hostile, hostile, hostile, (body, source, actionKey) => {
        expect(joined(sink.encode(outgoing({ body, source, actionKey, uid: body })))).not.toMatch(/[\r\n\0]/);
      }),
    );
  }
});

it('One connection never mixes framings', async () => {
  await using receiver = await listen();
  await using counting = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, framing: 'octet_counting' });
  await using lines = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, framing: 'lf' });
  const events = [outgoing({ body: '1 <1>' }), ...numbered(20), outgoing({ body: 'x\ny' })];

  for (let round = 0; round < 3; round += 1) {
    await counting.send(batchOf(counting, events), never());
    await lines.send(batchOf(lines, events), never());
  }
  await counting.flush?.(never());
  await lines.flush?.(never());

  const received = receiver.connections.map((connection) => connection.bytes()).filter((bytes) => bytes.length > 0);
  const [counted, separated] = received.sort((a) => (a[0] === 0x3c ? 1 : -1)) as [Buffer, Buffer];
  expect(uncount(counted).map(parse5424)).toHaveLength(66);
  expect(separated.toString().split('\n').filter(Boolean).map(parse5424)).toHaveLength(66);
});

const certificates = makeCertificates();

it('TLS uses octet counting on 6514 by default, checks the name, closes with close_notify, and offers LF', async () => {
  expect(parseAddress('tls://siem.example.com')).toEqual({ scheme: 'tls', host: 'siem.example.com', port: 6514 });
  const secure = { key: certificates.read('localhost.key'), cert: certificates.read('localhost.pem') };
  await using receiver = await listen(undefined, secure);
  await using other = await listen(undefined, { key: certificates.read('other.key'), cert: certificates.read('other.pem') });
  const tls = { ca_file: certificates.path('ca.pem') };
  await using sink = await openSink(syslog, { address: `tls://localhost:${receiver.port}`, tls });
  await using wrong = await openSink(syslog, { address: `tls://localhost:${other.port}`, tls });
  await using lines = await openSink(syslog, { address: `tls://localhost:${receiver.port}`, tls, framing: 'lf' });

  await sink.send(batchOf(sink, numbered(2)), never());
  await sink.flush?.(never());
  await lines.send(batchOf(lines, numbered(2)), never());
  await lines.flush?.(never());
  const refused = await wrong.send(batchOf(wrong, numbered(1)), never());

  // Node reports `end` on a TLS socket for close_notify; a bare FIN would be an error.
  expect(receiver.connections.map((connection) => connection.ended())).toEqual([true, true]);
  expect(uncount(receiver.connections[0]?.bytes() ?? Buffer.alloc(0))).toHaveLength(2);
  expect(receiver.connections[1]?.bytes().toString().split('\n').filter(Boolean).map(parse5424)).toHaveLength(2);
  expect(refused).toMatchObject({ all: { kind: 'hold', fix: expect.stringContaining('tls.server_name') as string } });
  expect(other.connections.map((connection) => connection.bytes().length)).toEqual([]);
});

it('A UDP message over the cap (default 1,180) is refused or cut as configured, and counted', async () => {
  const dgram = await import('node:dgram');
  const server = dgram.createSocket('udp4');
  const got: string[] = [];
  server.on('message', (message) => got.push(message.toString()));
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const address = `udp://127.0.0.1:${server.address().port}`;
  await using refusing = await openSink(syslog, { address });
  await using cutting = await openSink(syslog, { address, oversize: 'truncate' });
  const events = [outgoing({ body: 'small' }), outgoing({ body: 'é'.repeat(1000) })];

  const refused = (await refusing.send(batchOf(refusing, events), never())) as never;
  const cut = (await cutting.send(batchOf(cutting, events), never())) as never;

  await until(() => got.length === 3);
  server.close();
  expect({ refused: kindsOf(refused, 2), cut: kindsOf(cut, 2) }).toEqual({ refused: ['sent', 'event'], cut: ['sent', 'sent'] });
  expect(refused).toMatchObject({ each: [{}, { code: 'too_large' }] });
  expect({ room: refusing.maxEventBytes, counted: cutting.counters?.() }).toEqual({ room: 1150, counted: { truncated: 1 } });
  expect(got.map((message) => lengthOf(message) <= 1180)).toEqual([true, true, true]);
});

it('RFC 3164 pads the day with a space, has a TAG of at most 32 alphanumerics and at most 1,024 bytes', async () => {
  await using sink = await openEncoder({ rfc: 3164, app_name: 'pen-stock.'.repeat(9), oversize: 'truncate' });

  expect(bsdTimestamp(Date.UTC(2026, 10, 1, 3, 4, 5))).toBe('Nov  1 03:04:05');
  fc.assert(
    fc.property(hostile, (body) => {
      const message = joined(sink.encode(outgoing({ body: `${body}${'é'.repeat(2000)}` })));
      expect(message).toMatch(/^<110>Nov 21 09:45:00 host1 [A-Za-z0-9]{1,32}\[\w+\]: /);
      expect(lengthOf(message)).toBeLessThanOrEqual(1024);
    }),
  );
});

it('meta sequenceId starts at 1 per connection, and 2147483647 is followed by 1', async () => {
  await using receiver = await listen();
  await using sink = await openSink(syslog, { address: `tcp://127.0.0.1:${receiver.port}`, framing: 'octet_counting' });
  for (let connection = 0; connection < 2; connection += 1) {
    await sink.send(batchOf(sink, numbered(2)), never());
    await sink.send(batchOf(sink, numbered(1, 2)), never());
    await sink.flush?.(never());
  }

  const numbers = receiver.connections.map((connection) =>
    uncount(connection.bytes()).map((message) => parse5424(message).elements.get('meta')?.[0]?.[1]),
  );
  expect(numbers).toEqual([
    ['1', '2', '3'],
    ['1', '2', '3'],
  ]);
  expect([nextSequence(0), nextSequence(2_147_483_646), nextSequence(2_147_483_647)]).toEqual([1, 2_147_483_647, 1]);
});
