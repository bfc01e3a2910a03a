// What a syslog sink really puts on the wire as CEF and LEEF, one test per statement.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Format, Mapped } from '../../src/event/event.ts';
import { cefHeader, cefValue, encodeBody, normaliseKey } from '../../src/event/index.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { connectorNames, envelopeOf, loadConnector } from '../event/load-connector.ts';
import { listen, uncount } from '../sinks/receiver.ts';
import { parse5424 } from '../sinks/rfc5424.ts';
import { batchOf, never, openSink, outgoing, until } from '../sinks/sink-bench.ts';
import { fewOrMany } from '../thorough.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1_795_000_000_000 };
const connectors = connectorNames.map(loadConnector);
const tables = connectors.map(({ table }) => table);
const studio = loadConnector('analyst-studio').mapper;

const samples: readonly Mapped[] = connectors.flatMap((loaded) =>
  loaded.samples.map((sample) => loaded.mapper.map(envelopeOf(loaded, sample, 'tenant-1'), page)),
);

/** A record of a user who gave it every text, and an address. */
function written(text: string, ip = '192.0.2.1', action = 'collection_created'): Mapped {
  const record = {
    id: text === '' ? 'e1' : text,
    action,
    description: text,
    timestamp: '2026-11-20T10:15:30.123Z',
    workspace_username: text,
    actor: { ip, user_agent: text, user_id: text, username: text },
    entity: { entity_name: text, entity_type: text, entity_id: text },
  };
  return studio.map({ uid: '0123456789abcdef0123456789abcdef', received: 0, record }, page);
}

/** What a receiver gets as MSG of each event; throws when a frame or a header is not as the RFCs say. */
async function receivedAs(format: Format, events: readonly Mapped[]): Promise<string[]> {
  await using receiver = await listen();
  const address = `tcp://127.0.0.1:${receiver.port}`;
  await using sink = await openSink(syslog, { address, framing: 'octet_counting', max_message: '10MB' });
  const out = events.map((mapped) =>
    outgoing({ event: mapped.event, actionKey: mapped.actionKey, body: encodeBody(format, mapped, { includeRaw: false }) }),
  );

  await sink.send(batchOf(sink, out), never());
  await sink.flush?.(never());
  await until(() => receiver.connections[0]?.ended());

  return uncount(receiver.connections[0]?.bytes() ?? Buffer.alloc(0)).map((message) => parse5424(message).msg ?? '');
}

interface Cef {
  readonly header: readonly string[];
  readonly pairs: ReadonlyMap<string, string>;
}

const unescapes: Readonly<Record<string, string>> = { n: '\n', r: '\r' };

/** Reads a CEF line by the rules of its standard; throws on what they do not allow. */
function parseCef(line: string): Cef {
  const head = /^CEF:0\|((?:[^|\\]|\\[|\\])*\|){5}(?:\d|10)\|/.exec(line)?.[0];
  if (head === undefined) throw new Error(`not a CEF header: ${line}`);
  const header = [...head.matchAll(/((?:[^|\\]|\\.)*)\|/g)].map(([, field = '']) => field.replace(/\\(.)/g, '$1'));
  const extension = line.slice(head.length);
  const keys = [...extension.matchAll(/(?:^| )([A-Za-z0-9]+)=/g)];
  const pairs = keys.map(({ 0: found, 1: key = '', index }, at) => {
    const value = extension.slice(index + found.length, keys[at + 1]?.index);
    if (!/^(?:[^\\=]|\\[\\=nr])*$/.test(value)) throw new Error(`badly escaped value of ${key}: ${value}`);
    return [key, value.replace(/\\(.)/g, (_, one: string) => unescapes[one] ?? one)] as const;
  });
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error(`a key stands twice: ${line}`);
  return { header, pairs: new Map(pairs) };
}

const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\n', '\r', '\t', '\0', '\v', '\u0085', '\u2028', '\ud800', '😀', '|', '=', '\\', '\\n', ' act=', 'x09'),
      fc.constantFrom('\nCEF:0|a|b|c|d|e|5|', '\nLEEF:2.0|a|b|c|d|x09|', ' suser=root', '\tusrName=root'),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => parts.join('').trim())
  .filter((text) => text !== '' && text !== 'Unknown');
const manyHostile = fc.array(hostile, { minLength: 20, maxLength: 20 });

/** What a receiver may see of a text: CEF carries line breaks, of every kind as LF or CR; other control characters are blanks. */
function visible(text: string, limit: number): string {
  // oxlint-disable-next-line no-control-regex
  const plain = text.replace(/[\v\f\u0085\u2028\u2029]/g, '\n').replace(/[\0-\x09\x0e-\x1f\x7f]/g, ' ');
  const whole = plain.toWellFormed().slice(0, limit);
  return whole.isWellFormed() ? whole : whole.slice(0, -1);
}

it('The CEF golden vector is reproduced byte for byte', async () => {
  const header = ['Acme|Co', 'Pen\\stock', '1.0', 'user.login', 'Login = ok'].map((text) => cefHeader(text, 63)).join('|');
  const golden = `CEF:0|${header}|3|rt=1795254300123 suser=${cefValue('a=b\\c')} msg=${cefValue('line1\nline2')}`;
  const [line = ''] = await receivedAs('cef', [written('a=b\\c|d\nf')]);

  expect(golden).toBe(
    'CEF:0|Acme\\|Co|Pen\\\\stock|1.0|user.login|Login = ok|3|rt=1795254300123 suser=a\\=b\\\\c msg=line1\\nline2',
  );
  expect(line).toMatch(/^CEF:0\|ThoughtSpot\|Analyst Studio\|cloud\|collection_created\|[^|]+\|1\|rt=1795169730123 externalId=/);
  expect(line).toContain(' suser=a\\=b\\\\c|d\\nf suid=a\\=b\\\\c|d\\nf src=192.0.2.1 ');
});

it('A pipe in an extension value is not escaped; an = in a header field is not escaped', async () => {
  const [line = ''] = await receivedAs('cef', [written('a|b', '192.0.2.1', 'new=thing')]);

  expect(line).toContain('|new=thing|');
  expect(line).toContain(' suser=a|b ');
  expect(line).toContain(' act=new\\=thing ');
  expect(line.match(/\\/g)).toHaveLength(1);
});

it('Unescaping what was sent for random header and extension values gives them back; no raw CR or LF remains', async () => {
  await fc.assert(
    fc.asyncProperty(manyHostile, async (texts) => {
      const events = texts.map((text) => written(text, '192.0.2.1', text));

      const lines = await receivedAs('cef', events);

      expect(lines.filter((line) => /[\r\n\u0085\u2028\u2029]/.test(line))).toEqual([]);
      expect(lines.map((line) => parseCef(line).pairs.get('suser'))).toEqual(texts.map((text) => visible(text, 1023)));
      expect(lines.map((line) => parseCef(line).header[4])).toEqual(
        // oxlint-disable-next-line no-control-regex
        texts.map((text) => text.replace(/[\0-\x1f\x7f\u0085\u2028\u2029]/g, ' ').toWellFormed()),
      );
    }),
    { numRuns: fewOrMany(8, 100) },
  );
});

it('rt is an integer number of milliseconds', async () => {
  const lines = await receivedAs('cef', samples);

  expect(lines.map((line) => parseCef(line).pairs.get('rt'))).toEqual(samples.map(({ event }) => String(event.time)));
  expect(samples.filter(({ event }) => !Number.isInteger(event.time) || event.time < 1e12)).toEqual([]);
});

it('Every csN, cnN, cfpN, c6aN has its Label, and IPv6 never appears in src, dst, dvc', async () => {
  const addresses = ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', 'fe80::1%eth0', 'host.example.com'];

  const lines = await receivedAs('cef', [...samples, ...addresses.map((ip) => written('someone', ip))]);

  const all = lines.map((line) => parseCef(line).pairs);
  const custom = all.flatMap((pairs) =>
    [...pairs.keys()].filter((key) => /^(cs|cn|cfp|c6a)\d$/.test(key)).map((key) => ({ pairs, key })),
  );
  expect(custom.length).toBeGreaterThan(samples.length);
  expect(custom.filter(({ pairs, key }) => (pairs.get(`${key}Label`) ?? '') === '')).toEqual([]);
  expect(all.filter((pairs) => [...pairs.keys()].some((key) => key.endsWith('Label') && !pairs.has(key.slice(0, -5))))).toEqual(
    [],
  );
  expect(all.filter((pairs) => ['src', 'dst', 'dvc'].some((key) => pairs.get(key)?.includes(':')))).toEqual([]);
  expect(all.slice(-addresses.length).map((pairs) => [pairs.get('src'), pairs.get('c6a2'), pairs.get('shost')])).toEqual([
    ['192.0.2.1', undefined, undefined],
    [undefined, '2001:db8::1', undefined],
    [undefined, '::ffff:192.0.2.1', undefined],
    [undefined, 'fe80::1%eth0', undefined],
    [undefined, undefined, 'host.example.com'],
  ]);
});

it('Keys obey their length limits, cut before escaping', async () => {
  const limits = {
    externalId: 40,
    act: 63,
    outcome: 63,
    msg: 1023,
    suser: 1023,
    suid: 1023,
    requestClientApplication: 1023,
    cs1: 4000,
  };
  const text = '=😀\\'.repeat(3000);

  const [line = ''] = await receivedAs('cef', [written(text, '192.0.2.1', 'y'.repeat(3000))]);

  const { header, pairs } = parseCef(line);
  const lengths = Object.fromEntries(Object.keys(limits).map((key) => [key, pairs.get(key)?.length ?? 0]));
  expect(Object.entries(limits).filter(([key, limit]) => (lengths[key] ?? 0) > limit)).toEqual([]);
  // What a cut would leave as half of a pair of surrogates goes as well.
  expect(lengths).toMatchObject({ externalId: 40, suser: 1023, cs1: 4000 });
  expect(pairs.get('externalId')).toBe(text.slice(0, 40));
  expect([header[4]?.length, header[5]?.length]).toEqual([1023, 512]);
});

it('LEEF 2.0 writes the delimiter field, no value contains the delimiter, CR or LF, and sev is 1 to 10', async () => {
  await fc.assert(
    fc.asyncProperty(manyHostile, async (texts) => {
      const lines = await receivedAs('leef', [...samples, ...texts.map((text) => written(text, '192.0.2.1', text))]);

      for (const line of lines) {
        const [version, vendor, product, cloud, eventId, delimiter, ...rest] = line.split('|');
        expect([version, delimiter]).toEqual(['LEEF:2.0', 'x09']);
        expect([vendor, product, cloud, eventId].filter((field) => field === undefined || field === '')).toEqual([]);
        const pairs = rest.join('|').split('\t');
        expect(pairs.filter((pair) => !/^[A-Za-z]+=/.test(pair))).toEqual([]);
        const keys = pairs.map((pair) => pair.slice(0, pair.indexOf('=')));
        expect(new Set(keys).size).toBe(keys.length);
        expect(/[\r\n\u0085\u2028\u2029]/.test(line)).toBe(false);
        expect(Number(pairs.find((pair) => pair.startsWith('sev='))?.slice(4))).toSatisfy((sev: number) => sev >= 1 && sev <= 10);
      }
    }),
    { numRuns: fewOrMany(5, 50) },
  );
});

it('LEEF EventID and cat come from a fixed table', async () => {
  const anaconda = loadConnector('anaconda').mapper;
  // Its class depends on what the policy was assigned to.
  const variants = ['user', 'group', 'channel'].map((target_type) => {
    const record = { id: target_type, created_at: '2026-11-20T10:15:30Z', action_key: 'policy_assigned', target_type };
    return anaconda.map({ uid: target_type, received: 0, record }, page);
  });
  const events = [...samples, ...variants];

  const lines = await receivedAs('leef', events);

  const told = lines.map((line) => [line.split('|')[4] ?? '', /\tcat=([^\t]*)/.exec(line)?.[1] ?? ''] as const);
  const rowOf = (eventId: string): unknown => tables.find((table) => table.find(normaliseKey(eventId)) !== undefined);
  const cats = Map.groupBy(told, ([eventId]) => eventId);
  expect(new Set(variants.map(({ event }) => event['class_name'])).size).toBe(3);
  expect(told.filter(([eventId]) => rowOf(eventId) === undefined)).toEqual([]);
  expect([...cats.values()].filter((pairs) => new Set(pairs.map(([, cat]) => cat)).size > 1)).toEqual([]);
  expect(told.slice(0, samples.length).map(([eventId]) => eventId)).toEqual(
    samples.map(({ event }) => event.metadata['event_code']),
  );
});
