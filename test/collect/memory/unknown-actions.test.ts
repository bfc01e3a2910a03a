import { expect, it } from 'vitest';
import { parseUnknownCounts, UnknownActions, unknownActionsNote } from '../../../src/collect/memory/unknown-actions.ts';
import type { Connector, RecordFacts } from '../../../src/connectors/connector.ts';

const connector = { actions: [{ key: 'user_created', aliases: ['user_made'] }] } as unknown as Connector;

function record(action: string, time: number | undefined, text = action): RecordFacts {
  const actionKey = action.toLowerCase().replaceAll(' ', '_');
  return { action, actionKey, time, record: { text } } as unknown as RecordFacts;
}

function countsOf(notes: Readonly<Record<string, unknown>> | undefined): ReturnType<typeof parseUnknownCounts> {
  return parseUnknownCounts(notes?.[unknownActionsNote]);
}

it('notes nothing for actions that have a row, by key or by alias', () => {
  const unknown = new UnknownActions();

  expect(unknown.count([record('user_created', 5), record('User Made', 6)], connector, 100)).toBeUndefined();
});

it('counts an unknown action with its first and last time and one sample', () => {
  const unknown = new UnknownActions();

  const first = unknown.count([record('Moon Phase', 20, 'a'), record('Moon Phase', 10, 'b')], connector, 100);
  if (first !== undefined) unknown.take(first);
  const second = unknown.count([record('Moon Phase', undefined, 'c')], connector, 100);

  expect(first?.notes).toEqual({
    unknown_actions: { actions: [{ key: 'moon_phase', action: 'Moon Phase', count: 2, first: 10, last: 20 }], others: 0 },
    'unknown_sample:0': '{"text":"a"}',
  });
  expect(second?.notes).toEqual({
    unknown_actions: { actions: [{ key: 'moon_phase', action: 'Moon Phase', count: 3, first: 10, last: 100 }], others: 0 },
  });
});

it('does not count what was not made durable', () => {
  const unknown = new UnknownActions();

  unknown.count([record('moon', 1)], connector, 100);
  const again = unknown.count([record('moon', 1)], connector, 100);

  expect(countsOf(again?.notes).actions[0]?.count).toBe(1);
});

it('goes on where an earlier process stopped', () => {
  const before = new UnknownActions();
  const noted = before.count([record('moon', 1)], connector, 100);
  const unknown = new UnknownActions();
  unknown.load(noted?.notes[unknownActionsNote]);

  const staged = unknown.count([record('moon', 7)], connector, 100);

  expect(countsOf(staged?.notes).actions).toEqual([{ key: 'moon', action: 'moon', count: 2, first: 1, last: 7 }]);
});

it('keeps 200 actions and counts the rest together; one that got a row makes room', () => {
  const unknown = new UnknownActions();
  const invented = Array.from({ length: 205 }, (_, n) => record(`invented_${n}`, n));
  const counted = unknown.count(invented, connector, 1000);
  if (counted !== undefined) unknown.take(counted);
  const learned = { actions: [{ key: 'invented_3' }] } as unknown as Connector;

  const full = unknown.count([record('late', 1)], connector, 1000);
  const room = unknown.count([record('late', 1)], learned, 1000);

  expect([countsOf(full?.notes).actions.length, countsOf(full?.notes).others]).toEqual([200, 6]);
  expect(countsOf(room?.notes).actions[3]?.key).toBe('late');
  expect(Object.keys(room?.notes ?? {})).toEqual(['unknown_actions', 'unknown_sample:3']);
});

it('keeps names and samples short, whatever a vendor sends', () => {
  const unknown = new UnknownActions();

  const staged = unknown.count([record('x'.repeat(10_000), 1, 'y'.repeat(100_000))], connector, 1000);

  expect(JSON.stringify(staged?.notes).length).toBeLessThan(5_000);
});

it.each([[undefined], [null], ['text'], [{ actions: [{ key: 1 }], others: 'many' }]])('reads a note of %j as empty', (note) => {
  expect(parseUnknownCounts(note)).toEqual({ actions: [], others: 0 });
});
