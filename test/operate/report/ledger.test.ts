import { expect, it } from 'vitest';
import { zeroCounts, zeroTotals } from '../../../src/journal/counts.ts';
import type { Journal, LedgerRow } from '../../../src/journal/journal.ts';
import { readLedger } from '../../../src/operate/report/ledger.ts';

/** A journal of one source with ten new records, and one sink that counts them so. */
function journalWith(totals: Partial<LedgerRow['totals']>, letters = 0): Journal {
  const row = { sink: 'soc', source: 'feed', new: 10, letters, totals: { ...zeroTotals(), ...totals } };
  const sources = { feed: { ...zeroCounts(), fetched: 10, new: 10 } };
  return {
    ledger: () => Promise.resolve({ sources, rows: [row] }),
    noteOfAll: () => Promise.resolve(new Map()),
  } as unknown as Journal;
}

it.each([
  { totals: { acknowledged: 8, dead_lettered: 2 }, letters: 2, said: [] },
  { totals: { acknowledged: 8, dead_lettered: 2 }, letters: 5, said: [] },
  { totals: { acknowledged: 8 }, letters: 0, said: ['sink soc, source feed: 10 new, but 8 accounted for'] },
  {
    totals: { acknowledged: 8, dead_lettered: 2 },
    letters: 1,
    said: ['sink soc, source feed: 2 dead lettered, but 1 dead letter is there'],
  },
  { totals: { acknowledged: 12, not_routed: -2 }, letters: 0, said: ['sink soc, source feed: -2 not routed'] },
])('says what does not balance: $totals with $letters letters', async ({ totals, letters, said }) => {
  const { imbalances } = await readLedger(journalWith(totals, letters));

  expect(imbalances).toEqual(said);
});
