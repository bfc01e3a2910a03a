import { assert, jsonValue, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Json, JsonText } from '../../src/base/json.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import type { RawRecord } from '../../src/connectors/connector.ts';
import type { RecordSpec } from '../../src/connectors/connector-schema.ts';
import { compileRecordRules, splitAll } from '../../src/connectors/record-rules.ts';
import { uidOf } from '../../src/event/index.ts';
import { vendorConnector } from './vendor.ts';

const spec = {
  id: 'id',
  time: ['at', 'created'],
  action: 'what',
  tenant: 'org',
  volatile: ['text'],
  self: { actions: ['log.read'], user_agent: 'actor.agent' },
};
const rules = compileRecordRules(spec, 'demo');

/** So many levels, and pairs at the end of them. */
function nested(levels: number, pairs: number): unknown {
  let value: unknown = Array.from({ length: pairs }, (_, at) => ({ n: at, m: at }));
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe('a record', () => {
  it('is told by its facts, redacted, with the tenant that it names itself', () => {
    const facts = rules.examine(
      { value: { id: 'a1', at: null, created: '2026-11-20T10:00:00Z', what: 'Policy Updated', org: 'o1', token: 'x' } },
      'configured',
    );

    expect(facts).toMatchObject({
      uid: uidOf('demo', 'o1', 'a1'),
      time: Date.UTC(2026, 10, 20, 10),
      actionKey: 'policy_updated',
      record: { id: 'a1', what: 'Policy Updated', token: '[REDACTED]' },
    });
    expect(facts.unreadable).toBeUndefined();
  });

  it.each([
    ['many members', (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]))],
    ['a long list', (count: number) => ({ list: Array<number>(count).fill(1) })],
    ['many small lists', (count: number) => ({ list: Array.from({ length: count / 2 }, () => [1]) })],
    ['a deep nest of pairs', (count: number) => ({ pairs: nested(count / 400, (count * 2) / 5) })],
  ])('of more than 50,000 values is kept as its text, whichever way it was read: %s', (_name, make) => {
    const facts = [24_000, 51_000].flatMap((count) => {
      const value = { id: 'a1', at: '2026-11-20T10:00:00Z', what: 'x', ...make(count) };
      const text = JSON.stringify(value, null, 1);
      return [{ value }, { value, json: new JsonText(Buffer.from(text), 0, text.length) }].map((raw) => rules.examine(raw, 'o1'));
    });

    const reason = 'the record holds more than 50000 values';
    expect(facts.map(({ unreadable }) => unreadable)).toEqual([undefined, undefined, reason, reason]);
    expect(facts[2]?.uid).toBe(facts[3]?.uid);
    expect(facts[2]?.record).toMatch(/^\{"id":"a1","at":"2026-11-20T10:00:00Z","what":"x",/);
  });

  it('names no known secret as its action', () => {
    const secrets = createSecrets();
    secrets.add('planted-secret-1');
    const value = { id: 'a1', at: '2026-11-20T10:00:00Z', what: 'made planted-secret-1 for dana' };

    const { action, actionKey, record } = rules.examine({ value }, 'o', secrets.scrubValues);

    const clean = 'made [REDACTED] for dana';
    expect([action, actionKey, record]).toEqual([clean, 'made_redacted_for_dana', { ...value, what: clean }]);
  });

  it.each(['id', 'text', 'other'])('is told apart from others even where %s is nested thousands deep', (name) => {
    const nested: unknown = JSON.parse(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`);

    const [first, second] = [1, 2].map((at) => rules.examine({ value: { id: `i-${at}`, at, [name]: [at, nested] } }, 'o'));

    expect(first?.uid).not.toBe(second?.uid);
    expect(first?.unreadable).toBeUndefined();
  });

  it('keeps its fingerprint when only volatile fields change, and has a uid of its own when others do', () => {
    const [first, reworded, other] = [
      { id: '1', text: 'a' },
      { id: '1', text: 'b' },
      { id: '1', text: 'a', x: 1 },
    ].map((value) => rules.examine({ value }, 'o'));

    expect(reworded?.fingerprint).toBe(first?.fingerprint);
    expect(other?.uid).toBe(first?.uid);
    expect(other?.conflictUid).not.toBe(first?.conflictUid);
  });

  it('is identified before redaction', () => {
    const [one, two] = ['x', 'y'].map((token) => rules.examine({ value: { token } }, 'o'));

    expect(one?.record).toEqual(two?.record);
    expect(one?.uid).not.toBe(two?.uid);
  });

  it('with the id of its message, or the n-th of a file, is named by that', () => {
    const byMessage = rules.examine({ value: { id: '1' }, id: 'CAMQ#2' }, 'o');
    const second = rules.examine({ value: { id: '1' }, occurrence: 2 }, 'o');

    expect([byMessage.uid, second.uid]).toEqual([uidOf('demo', 'o', 'CAMQ#2'), uidOf('demo', 'o', '1#2')]);
  });

  it.each([
    [{ what: 'log.read', actor: { agent: 'penstock/1 (a)' } }, true],
    [{ what: 'LOG_READ', actor: { agent: 'penstock/1 (a)' } }, true],
    [{ what: 'log.read', actor: { agent: 'penstock/1 (b)' } }, false],
    [{ what: 'log.written', actor: { agent: 'penstock/1 (a)' } }, false],
    [{ actor: { agent: 'penstock/1 (a)' } }, false],
  ])('%j made by ourselves: %s', (value, isOurs) => {
    expect(rules.examine({ value }, 'o').isSelfMade('penstock/1 (a)')).toBe(isOurs);
  });

  it('that cannot be read is its text, without secrets', () => {
    const facts = rules.examine({ value: 'AstraCS:abc:def', unreadable: 'not JSON' }, 'o');

    expect(facts).toMatchObject({ record: '[REDACTED]', unreadable: 'not JSON', time: undefined, actionKey: undefined });
  });

  it.each([
    ['soon', true],
    ['11/12/2026 10:00', true],
    ['0001-01-01T00:00:00Z', true],
    [{ $date: 1 }, true],
    [['2026-11-20T10:00:00Z'], true],
    ['2026-11-20T10:00:00Z', undefined],
    [null, undefined],
    ['', undefined],
    [undefined, undefined],
  ])('with %j as its time has one that cannot be read: %s', (time, expected) => {
    const { records } = vendorConnector({});

    expect(records.examine({ value: { id: 1, time } }, 'o').hasUnreadableTime).toBe(expected);
  });

  it('of any form has facts', () => {
    assert(
      property(jsonValue(), (value) => {
        const facts = rules.examine({ value }, undefined);

        expect(facts.uid).toMatch(/^[0-9a-f]{32}$/);
        expect(facts.fingerprint).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });
});

describe('a record with several events', () => {
  const activity = (events: unknown, id: unknown = 'a1') => ({ id, at: { time: '2026-11-21T09:30:00Z' }, list: { events } });
  const rules = (more: Record<string, unknown> = {}) =>
    compileRecordRules({ id: 'id', time: 'at.time', action: 'list.events.name', each: 'list.events', ...more }, 'vendor');
  const uidsOf = (value: unknown, more = {}) => {
    const own = rules(more);
    return own.split({ value }).map((raw) => own.examine(raw, 'acme').uid);
  };
  const [one, two] = [{ name: 'one' }, { name: 'two', views: 1 }];

  it('becomes as many, each with the rest of it', () => {
    const own = rules();
    const raws = own.split({ value: activity([one, two]), labels: ['mended'] });

    expect(raws.map(({ value, labels }) => ({ value, labels }))).toEqual([
      { value: activity(one), labels: ['mended'] },
      { value: activity(two), labels: ['mended'] },
    ]);
    expect(raws.map((raw) => own.examine(raw, 'acme').actionKey)).toEqual(['one', 'two']);
    expect(raws.map((raw) => own.examine(raw, 'acme').isFurtherPart)).toEqual([undefined, true]);
  });

  it('names them alike in whatever order they come, and however many there are', () => {
    const [first, second] = uidsOf(activity([one, two]));

    expect(uidsOf(activity([two, one]))).toEqual([second, first]);
    expect(uidsOf(activity([one]))).toEqual([first]);
    expect(uidsOf(activity([{ name: 'new' }, one, two])).slice(1)).toEqual([first, second]);
  });

  it('tells equal ones apart', () => {
    const uids = uidsOf(activity([one, one, one]));

    expect(new Set(uids).size).toBe(3);
    expect(uidsOf(activity([one, one, one]))).toEqual(uids);
  });

  it('tells those of two records apart', () => {
    expect(uidsOf(activity([one], 'a1'))).not.toEqual(uidsOf(activity([one], 'a2')));
  });

  it('leaves out of the name what may differ between two readings', () => {
    const volatile = { volatile: ['list.events.views'] };

    expect(uidsOf(activity([{ ...two, views: 9 }]), volatile)).toEqual(uidsOf(activity([two]), volatile));
  });

  it('takes the id of the event itself where that is the id', () => {
    const own = { id: 'list.events.id' };

    expect(uidsOf(activity([{ id: 'e1', name: 'one' }]), own)).toEqual(uidsOf(activity([{ id: 'e1', name: 'other' }]), own));
  });

  it.each([
    ['none', []],
    ['no list', one],
    ['nothing', undefined],
    ['too many', Array.from({ length: 10_001 }, () => one)],
  ])('stays one with %s in it', (_what, events) => {
    expect(rules().split({ value: activity(events) })).toEqual([{ value: activity(events) }]);
  });

  it('stays one where the rest of it, once for each, would fill the memory', () => {
    const rest = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, 1]));
    const value = { ...activity(Array.from({ length: 5_000 }, () => 1)), ...rest };
    const few = { ...activity([one, two]), ...rest };

    expect(rules().split({ value })).toEqual([{ value }]);
    expect(rules().split({ value: few })).toHaveLength(2);
  });

  it('gives the events of many records one by one where all of them would fill the memory', () => {
    const value = activity(Array.from({ length: 4_000 }, (_, n) => ({ ...one, n }))) as Json;
    const raws = [{ value: activity([one, two]) as Json }, { value }, { value: 'x', unreadable: 'y' }, { value }];
    const split = (raw: RawRecord): readonly RawRecord[] => rules().split(raw);
    const all = raws.flatMap((raw) => split(raw));

    const list = splitAll(split, raws);

    expect([Array.isArray(list), list.length]).toEqual([false, all.length]);
    expect([...list]).toEqual(all);
    for (const [from, to] of [
      [0, 3],
      [1, 4_500],
      [4_001, 4_004],
      [8_000, 9_000],
      [9_000, 9_001],
    ] as const)
      expect(list.slice(from, to)).toEqual(all.slice(from, to));
    expect(splitAll(split, raws.slice(0, 2))).toEqual(all.slice(0, 4_002));
  });

  it('stays one where it cannot be read', () => {
    expect(rules().split({ value: 'x', unreadable: 'y' })).toEqual([{ value: 'x', unreadable: 'y' }]);
  });
});

describe('a time without a zone', () => {
  const timeOf = (zone: string | undefined, time: unknown) =>
    new Date(
      compileRecordRules({ id: 'id', time: 'time', action: 'x', ...(zone === undefined ? {} : { zone }) }, 'vendor').examine(
        { value: { id: 1, time } },
        'acme',
      ).time ?? 0,
    ).toISOString();

  it.each([
    [undefined, '2026-07-01 12:00:00', '2026-07-01T12:00:00.000Z'],
    ['Europe/Berlin', '2026-07-01 12:00:00', '2026-07-01T10:00:00.000Z'],
    ['Europe/Berlin', '2026-01-01 12:00:00', '2026-01-01T11:00:00.000Z'],
    ['Europe/Berlin', '28 Nov 2026 10:00', '2026-11-28T09:00:00.000Z'],
    ['Europe/Berlin', 'Sat Nov 28 10:00:00 2026', '2026-11-28T09:00:00.000Z'],
    ['Europe/Berlin', '20261128T100000', '2026-11-28T09:00:00.000Z'],
    ['Europe/Berlin', '2026-11-28', '2026-11-27T23:00:00.000Z'],
    ['Europe/Berlin', '2026-07-01T12:00:00Z', '2026-07-01T12:00:00.000Z'],
    ['Europe/Berlin', '2026-07-01T12:00:00-05:00', '2026-07-01T17:00:00.000Z'],
    ['Europe/Berlin', 'Sat, 28 Nov 2026 10:00:00 GMT', '2026-11-28T10:00:00.000Z'],
    ['Europe/Berlin', 1_782_900_000, '2026-07-01T10:00:00.000Z'],
    ['America/New_York', '2026-03-08 03:30:00', '2026-03-08T07:30:00.000Z'],
    ['America/New_York', '2026-03-08 02:30:00', '2026-03-08T07:30:00.000Z'],
    ['America/New_York', '2026-11-01 01:30:00', '2026-11-01T05:30:00.000Z'],
    ['Asia/Kolkata', '2026-07-01 12:00:00', '2026-07-01T06:30:00.000Z'],
    ['+02:00', '2026-07-01 12:00:00', '2026-07-01T10:00:00.000Z'],
    ['-0530', '2026-07-01 12:00:00', '2026-07-01T17:30:00.000Z'],
  ])('in %s is %s', (zone, time, instant) => {
    expect(timeOf(zone, time)).toBe(instant);
  });
});

describe('a hash that identifies', () => {
  const hashed = { hash: ['id.time', 'id.of'], time: 'id.time', action: 'what', volatile: ['etag'] };
  const record = (time: string, of: string): Json => ({ id: { time, of }, what: 'x' });
  const factsOf = (spec: RecordSpec, value: Json) => compileRecordRules(spec, 'demo').examine({ value }, 'o');
  const identifying = { ...hashed, hash_is_id: true };

  it('takes what paths lead to, or columns of that name', () => {
    const uids = [record('a', '1'), record('b', '1'), record('a', '2'), { 'id.time': 'b', 'id.of': '1' }].map(
      (value) => factsOf(hashed, value).uid,
    );

    expect([new Set(uids).size, uids[3]]).toEqual([3, uids[1]]);
  });

  it('names no record by its content, unless all of its fields are missing', () => {
    expect(factsOf(hashed, record('a', '1')).isNamedByContent).toBe(true);
    expect(factsOf(identifying, record('a', '1')).isNamedByContent).toBeUndefined();
    expect(factsOf(identifying, { what: 'x' }).isNamedByContent).toBe(true);
    expect(factsOf(identifying, { what: 'x' }).uid).not.toBe(factsOf(identifying, { what: 'y' }).uid);
    expect([hashed, identifying].map((spec) => compileRecordRules(spec, 'demo').areNamedByContent)).toEqual([true, false]);
  });
});
