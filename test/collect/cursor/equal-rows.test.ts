// Rows without ids that say the same thing, in a log that is followed by cursor.
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { minute, noon } from '../fixture.ts';
import { entry, type LogVendor, logVendor, runFor } from './log-vendor.ts';

const named = { record: { hash: ['time', 'action', 'user'], time: 'time', action: 'action' } };
/** A failed login of somebody: equal to each other in all but the id that the vendor keeps for itself. */
const logins = (count: number, time: number, visibleAt = time) =>
  Array.from({ length: count }, (_, i) => ({ ...entry(`${time} ${visibleAt} ${i}`, time, visibleAt), user: 'bob' }));

/** Of so many rows at the vendor each is in the journal once: all uids differ. */
function expectEachOnce(vendor: LogVendor): void {
  const uids = vendor.journal.records.map(({ uid }) => uid);
  expect([uids.length, new Set(uids).size]).toEqual([vendor.entries.length, vendor.entries.length]);
}

const withoutId = (vendor: LogVendor): LogVendor => {
  vendor.onAsk = (_ask, usual) => {
    const { json, ...answer } = usual();
    const strip = (rows: unknown): unknown => (rows as { id: string }[]).map(({ id: _id, ...row }) => row);
    return Array.isArray(json)
      ? { ...answer, json: strip(json) }
      : {
          ...answer,
          json: {
            ...(json as object),
            data: strip((json as { data?: [] }).data ?? []),
            entries: strip((json as { entries?: [] }).entries ?? []),
          },
        };
  };
  return vendor;
};

describe.each(['post_body', 'polling_link', 'position'] as const)('by %s', (form) => {
  it('are each kept once, within pages, over pages, polls and processes', async () => {
    const vendor = withoutId(logVendor(form, {}, named));
    vendor.entries.push(...logins(7, noon - 5 * minute), ...logins(2, noon - 5 * minute, noon + 3 * minute));
    vendor.entries.push(...logins(4, noon - 5 * minute, noon + 9 * minute));

    await runFor(vendor, 6);
    await runFor(vendor, 6);

    expectEachOnce(vendor);
  });

  it('are each kept once when the cursor is lost, and more of them came meanwhile', async () => {
    const vendor = withoutId(logVendor(form, {}, named));
    vendor.entries.push(...logins(4, noon - 5 * minute));
    await runFor(vendor, 2);
    vendor.entries.push(...logins(3, noon - 5 * minute, noon + 3 * minute));
    const usual = vendor.onAsk;
    let refused = 0;
    vendor.onAsk = (ask, answer) => {
      if (refused === 2 || ask.cursor === undefined) return usual(ask, answer);
      refused += 1;
      return { status: 410 };
    };

    await runFor(vendor, 4);

    expect(refused).toBe(2);
    expectEachOnce(vendor);
  });

  it('are each kept once when a reading that began again is cut off', async () => {
    const vendor = withoutId(logVendor(form, {}, named));
    vendor.entries.push(...logins(8, noon - 5 * minute));
    const usual = vendor.onAsk;
    vendor.onAsk = (ask, answer) => (ask.count === 2 ? { status: 401 } : usual(ask, answer));
    await runFor(vendor, 1);

    await runFor(vendor, 3);

    expectEachOnce(vendor);
  });
});

it('are each kept once when a page goes in by halves and the process ends between them', async () => {
  const vendor = withoutId(logVendor('position', { 'page.size': 9 }, named));
  vendor.entries.push(...logins(2, noon - 5 * minute));
  await runFor(vendor, 1);
  vendor.entries.push(...logins(3, noon - 5 * minute, noon + 2 * minute));
  let appends = 0;
  vendor.journal.failing.append = () => {
    appends += 1;
    // The page does not fit, its first half does, and then the process is gone.
    return appends === 1 || appends > 2 ? new PenstockError('PEN_JOURNAL_FULL', 'full') : undefined;
  };
  await vendor.clock.advance(3 * minute);
  await runFor(vendor, 1);
  vendor.journal.failing.append = () => undefined;
  expect(vendor.journal.records.length).toBeLessThan(5);

  await runFor(vendor, 3);

  expectEachOnce(vendor);
});

it('are each kept once where a page names no cursor and is read again each poll', async () => {
  const vendor = withoutId(logVendor('position', {}, named));
  vendor.entries.push(...logins(2, noon - 5 * minute));
  await runFor(vendor, 1);
  const usual = vendor.onAsk;
  vendor.onAsk = (ask, answer) => {
    const { json, ...rest } = usual(ask, answer) ?? {};
    return { ...rest, json: { ...(json as object), next_stream_position: undefined } };
  };
  vendor.entries.push(...logins(1, noon - 5 * minute, noon + 2 * minute), ...logins(1, noon - 5 * minute, noon + 4 * minute));

  await runFor(vendor, 7);

  expectEachOnce(vendor);
});

describe.each(['post_body', 'polling_link', 'position'] as const)('by %s', (form) => {
  it.each([0, 3, 6])('are each kept once where the cursor goes back to %i, and more of them came meanwhile', async (back) => {
    const vendor = withoutId(logVendor(form, {}, named));
    vendor.entries.push(...logins(1, noon - 6 * minute), ...logins(7, noon - 5 * minute), ...logins(1, noon - 4 * minute));
    await runFor(vendor, 2);
    const usual = vendor.onAsk;
    let hasGone = false;
    vendor.onAsk = (ask, answer) => {
      const given = usual(ask, answer);
      if (hasGone || ask.cursor !== '9') return given;
      hasGone = true;
      const json = Array.isArray(given?.json) ? [] : { data: [], entries: [], cursor: String(back), next_stream_position: back };
      return { json, headers: { link: `<https://api.example.com/v1/logs?after=${back}>; rel="next"` } };
    };
    vendor.entries.push(...logins(2, noon - 5 * minute, noon + 3 * minute));

    await runFor(vendor, 3);
    await runFor(vendor, 3);

    expect(hasGone).toBe(true);
    expectEachOnce(vendor);
  });
});
