// An API without a time range, newest first: what a window holds is found by the times of the records.
import { expect, it } from 'vitest';
import { compileNewestFirst } from '../../src/connectors/http-window/newest-first.ts';
import type { WholePage } from '../../src/connectors/http-window/paging.ts';

const at = (clock: string): number => Date.parse(`2026-11-20T${clock}:00Z`);
const window = { from: at('10:00'), to: at('11:00') };
const next = { kind: 'token', token: 'next' } as const;
const of = compileNewestFirst({ time: 'at' });
const page = (times: readonly unknown[], more: Partial<WholePage> = {}): WholePage => ({
  records: times.map((time) => ({ value: { at: time } })),
  next,
  ...more,
});
const left = ({ records, next: further }: WholePage): unknown[] => [
  ...records.map(({ value }) => (value as { at: unknown }).at),
  further === null ? 'end' : 'next',
];

it.each([
  ['newer records', ['2026-11-20T12:00:00Z', '2026-11-20T11:01:00Z'], ['next']],
  ['some of the window', ['2026-11-20T11:01:00Z', '2026-11-20T11:00:00Z'], ['2026-11-20T11:00:00Z', 'next']],
  ['its last ones', ['2026-11-20T10:00:00Z', '2026-11-20T09:59:59Z'], ['2026-11-20T10:00:00Z', 'next']],
  ['older ones', ['2026-11-20T09:59:59Z', '2026-11-19T00:00:00Z'], ['end']],
  ['older ones and one that came late', ['2026-11-20T09:00:00Z', '2026-11-20T10:30:00Z'], ['2026-11-20T10:30:00Z', 'next']],
  ['one without a time that can be read', ['soon', '2026-11-19T00:00:00Z'], ['soon', 'next']],
  ['days', ['2026-11-21', '2026-11-20', '2026-11-19'], ['2026-11-20', 'next']],
  ['days before', ['2026-11-19', '2026-11-18'], ['end']],
  ['nothing', [], ['next']],
])('of a page with %s it takes what belongs to the window', (_what, times, expected) => {
  expect(left(of(page(times), window))).toEqual(expected);
});

it('takes no total of the log for that of a window', () => {
  expect(of(page(['2026-11-20T10:30:00Z'], { total: 9000 }), window)).not.toHaveProperty('total');
});

it('takes a page that may be cut for the end only where all before it is older', () => {
  const cut = { next: null, mayBeCut: 'unpaged', toldCut: 'its status is 206' } as const;

  expect(of(page(['2026-11-20T10:30:00Z'], cut), window)).toMatchObject(cut);
  expect(Object.keys(of(page(['2026-11-20T09:30:00Z'], cut), window))).toEqual(['records', 'next']);
});

it('reads times in the zone of the connector', () => {
  const berlin = compileNewestFirst({ time: 'at', zone: 'Europe/Berlin' });

  expect(left(berlin(page(['2026-11-20 11:30:00', '2026-11-20 10:30:00']), window))).toEqual(['2026-11-20 11:30:00', 'next']);
});

it('takes a page as it is where no window is read', () => {
  expect(left(of(page(['2020-01-01T00:00:00Z']), {}))).toEqual(['2020-01-01T00:00:00Z', 'next']);
});

it.each([
  ['America/New_York', '2026-11-01 01:40:00', ['2026-11-01T05:40:00Z', '2026-11-01T06:40:00Z']],
  ['Australia/Lord_Howe', '2027-04-04 01:45:00', ['2027-04-03T14:45:00Z', '2027-04-03T15:15:00Z']],
  ['Pacific/Auckland', '2027-04-04 02:30:00', ['2027-04-03T13:30:00Z', '2027-04-03T14:30:00Z']],
])('in %s takes a record of an hour that comes twice for one of both', (zone, told, instants) => {
  const local = compileNewestFirst({ time: 'at', zone });
  const around = (instant: string, ms = 0): { from: number; to: number } => ({
    from: Date.parse(instant) + ms - 300_000,
    to: Date.parse(instant) + ms + 300_000,
  });

  expect(instants.map((instant) => left(local(page([told]), around(instant))))).toEqual([
    [told, 'next'],
    [told, 'next'],
  ]);
  expect(left(local(page([told]), around(instants[1] ?? '', 600_000)))).toEqual(['end']);
});

it('gives the last hour of a day on which clocks are put back to that day', () => {
  const local = compileNewestFirst({ time: 'at', zone: 'America/New_York' });
  const lastHour = { from: Date.parse('2026-11-02T04:20:00Z'), to: Date.parse('2026-11-02T04:50:00Z') };

  expect(left(local(page(['2026-11-01', '2026-10-31']), lastHour))).toEqual(['2026-11-01', 'next']);
});
