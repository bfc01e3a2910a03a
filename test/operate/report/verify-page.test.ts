import { expect, it } from 'vitest';
import type { VerifyReport } from '../../../src/operate/report/verify.ts';
import { conclusionsOf, verifyPage } from '../../../src/operate/report/verify-page.ts';

const nothing = {
  late: 0,
  missing: 0,
  never_collected: 0,
  overdue: 0,
  before_start: 0,
  not_comparable: 0,
  not_shown: 0,
  excluded: 0,
};
const reportOf = (counts: Partial<VerifyReport>): VerifyReport => ({
  source: 'feed',
  from: 0,
  to: 86_400_000,
  at: 86_400_000,
  vendor: 10,
  collected: 10,
  ...nothing,
  delivered: {},
  dead_lettered: {},
  pending: {},
  discarded: {},
  unproven: {},
  not_routed: {},
  given_up: {},
  days: [],
  ...counts,
});

it.each([
  { counts: {}, levels: ['good'], last: 'Every event that the API returned is accounted for.' },
  { counts: { late: 1 }, levels: ['warning', 'good'], last: 'Every event that the API returned is accounted for.' },
  {
    counts: { never_collected: 6069 },
    levels: ['warning', 'plain'],
    last: 'Of what could be compared, nothing is missing.',
  },
  {
    counts: { never_collected: 6069, overdue: 3 },
    levels: ['warning', 'error', 'error'],
    last: 'The vendor has 3 that were not collected.',
  },
  {
    counts: { never_collected: 6069, before_start: 6069 },
    levels: ['error', 'error'],
    last: 'The vendor has 6069 that were not collected.',
  },
  { counts: { not_comparable: 2 }, levels: ['warning', 'plain'], last: 'Of what could be compared, nothing is missing.' },
  { counts: { kept_since: 40_000 }, levels: ['warning', 'plain'], last: 'Of what could be compared, nothing is missing.' },
  { counts: { not_shown: 2 }, levels: ['error', 'plain'], last: 'Of what could be compared, nothing is missing.' },
  {
    counts: { missing: 1 },
    levels: ['error'],
    last: '1 is missing: the vendor has them, but they were not collected with their window; --repair collects them',
  },
  {
    counts: { missing: 2, never_collected: 3 },
    levels: ['warning', 'error'],
    last: expect.stringMatching(/^2 are missing/) as string,
  },
])(
  'says of $counts on the terminal and on the page the same, and only of nothing left that it is good',
  ({ counts, levels, last }) => {
    const report = reportOf(counts);

    const conclusions = conclusionsOf(report);
    const page = verifyPage(report);

    expect(conclusions.map(({ level }) => level)).toEqual(levels);
    expect(conclusions.at(-1)?.text).toEqual(last);
    const shown = [...page.matchAll(/<p class="verdict (\w+)">([^<]*)<\/p>/g)].map(([, level, text]) => ({
      level,
      text: text?.replaceAll('&quot;', '"'),
    }));
    expect(shown.toReversed()).toEqual(conclusions);
  },
);

it.each([
  { kept_since: 43_200_000, says: 'since 1970-01-01T12:00:00.000Z: of the range before that it may show nothing any more' },
  { kept_since: 90_000_000, says: 'since 1970-01-02T01:00:00.000Z: of the whole range it may show nothing any more' },
])('says that a time which the vendor does not keep any more proves nothing: $kept_since', ({ kept_since, says }) => {
  const texts = conclusionsOf(reportOf({ kept_since, vendor: 0, collected: 0 })).map(({ text }) => text);

  expect(texts[0]).toContain(says);
});
