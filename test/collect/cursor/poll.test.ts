import { describe, expect, it } from 'vitest';
import type { SourceContext } from '../../../src/collect/context.ts';
import { begunAgain } from '../../../src/collect/cursor/begin.ts';
import { idMemoryMs } from '../../../src/collect/memory/ids.ts';
import type { CursorReader } from '../../../src/connectors/connector.ts';
import { itInLongTests } from '../../thorough.ts';
import { day, hour, minute, never, noon, settings } from '../fixture.ts';
import { entry, formNames, logVendor, runFor } from './log-vendor.ts';

const lost = 'the vendor does not take the cursor any more, reading begins again';
const names = (count: number, prefix = 'e'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe.each(formNames)('a log followed by %s', (form) => {
  it('gives each record once, over pages, polls and processes', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(...names(8).map((id, i) => entry(id, noon - 30 * minute + i)));
    vendor.entries.push(...names(8, 'later').map((id, i) => entry(id, noon + i * minute)));

    await runFor(vendor, 3);
    const status = await runFor(vendor, 10);

    expect(vendor.ids()).toEqual([...names(8), ...names(8, 'later')]);
    expect(status).toMatchObject({ state: 'idle', consecutive_failures: 0, warnings: [], details: { caught_up: true } });
    expect(status.cursor_age_seconds).toBeLessThanOrEqual(61);
  });

  it('brings a record by itself that shows up hours after its time', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(entry('a', noon - minute), entry('late', noon - 50 * minute, noon + 2 * hour));
    vendor.entries.push(entry('z', noon + 2 * hour + minute));

    await runFor(vendor, 130);

    expect(vendor.ids()).toEqual(['a', 'late', 'z']);
  });

  it.each([400, 403, 404, 410, 422, 500])(
    'reads again before the newest record when its cursor is answered with %d',
    async (status) => {
      const vendor = logVendor(form);
      vendor.entries.push(...names(8).map((id, i) => entry(id, noon - 30 * minute + i * minute)));
      await runFor(vendor, 3);
      // While nobody looked, the vendor forgot its cursors.
      vendor.entries.push(...names(5, 'new').map((id, i) => entry(id, noon + 4 * minute + i)));
      const refused = new Set(vendor.asks.map(({ cursor }) => cursor).filter((cursor) => cursor !== undefined && cursor !== '0'));
      vendor.onAsk = ({ cursor, count }) => (cursor !== undefined && refused.has(cursor) && count < 60 ? { status } : undefined);
      refused.add(vendor.asks.at(-1)?.cursor ?? '');
      refused.add('8');
      refused.add('e7');
      if (status === 500) await runFor(vendor, 2);

      // A pause between two attempts may take minutes.
      const shown = await runFor(vendor, 10);

      expect(vendor.ids()).toEqual([...names(8), ...names(5, 'new')]);
      expect(shown).toMatchObject({ state: 'idle', consecutive_failures: 0 });
      expect(shown.warnings.filter((text) => text.includes('did not take the cursor')).length).toBe(1);
      const rows = await vendor.journal.windows('s', 0, noon + day);
      expect(rows.filter(({ key }) => key.startsWith('cursor lost')).length).toBeGreaterThan(0);
    },
  );

  it('is asked a few times a poll where the vendor takes none of its cursors, and shows the failure', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(...names(20).map((id, i) => entry(id, noon - 30 * minute + i * minute)));
    vendor.onAsk = ({ cursor }) => (cursor !== undefined && cursor !== '0' ? { status: 400 } : undefined);

    const shown = await runFor(vendor, 5);

    expect(vendor.asks.length).toBeLessThan(300);
    expect(shown.consecutive_failures).toBeGreaterThan(0);
    expect(new Set(vendor.ids()).size).toBe(vendor.ids().length);
  });

  it.each([400, 500])(
    'counts polls that fail at a page which never comes (%d), and begins again once in each',
    async (status) => {
      const vendor = logVendor(form);
      vendor.entries.push(...names(12).map((id, i) => entry(id, noon - 30 * minute + i * minute)));
      vendor.onAsk = ({ cursor }) => (cursor === '6' || cursor === 'e5' ? { status } : undefined);

      const shown = await runFor(vendor, 20);

      expect(vendor.ids()).toEqual(names(6));
      expect(shown).toMatchObject({ state: 'failing', last_error: { message: expect.stringContaining(`${status}`) as string } });
      expect(shown.consecutive_failures).toBeGreaterThan(10);
      expect(vendor.said('source answers again')).toBeLessThan(2);
      // From the start to the page, the page, the first again, and both once more.
      expect(vendor.asks.filter(({ cursor }) => cursor === undefined || cursor === '0').length).toBeLessThan(70);
    },
  );

  it('keeps its cursor while the vendor is away as a whole, and loses nothing', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(...names(20).map((id, i) => entry(id, noon + i * minute)));
    vendor.onAsk = () =>
      vendor.clock.now() > noon + 5 * minute && vendor.clock.now() < noon + 15 * minute ? { status: 503 } : undefined;

    const status = await runFor(vendor, 40);

    expect(vendor.ids()).toEqual(names(20));
    expect([status.state, vendor.said(lost)]).toEqual(['idle', 0]);
  });

  it('is held when the credential is refused, and goes on from the same cursor', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(...names(4).map((id, i) => entry(id, noon - minute + i)));
    await runFor(vendor, 2);
    vendor.onAsk = () => ({ status: 401 });
    const held = await runFor(vendor, 2);
    vendor.onAsk = () => undefined;
    vendor.entries.push(entry('after', vendor.clock.now() + 1));

    await runFor(vendor, 3);

    expect(held.state).toBe('hold');
    expect([vendor.ids(), vendor.said(lost)]).toEqual([[...names(4), 'after'], 0]);
  });

  it('ends every poll where an empty page names a new cursor each time', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(entry('a', noon - minute));
    vendor.onAsk = ({ cursor, count }) => {
      if (cursor === undefined || form === 'last_id') return undefined;
      if (form === 'polling_link') return { json: [], headers: { link: `<?after=${1000 + count}>; rel="next"` } };
      return {
        json: { data: [], entries: [], cursor: `${1000 + count}`, next_stream_position: `${1000 + count}`, has_more: false },
      };
    };

    await runFor(vendor, 5);

    expect(vendor.asks.length).toBeLessThan(9);
  });

  it('stays where it is when a page names no cursor, and takes what comes', async () => {
    const vendor = logVendor(form);
    vendor.entries.push(...names(4).map((id, i) => entry(id, noon - minute + i)));
    await runFor(vendor, 2);
    vendor.entries.push(entry('b', noon + 3 * minute), entry('c', noon + 5 * minute));
    vendor.onAsk = (_ask, usual) => {
      const { json } = usual();
      if (Array.isArray(json)) return form === 'last_id' ? undefined : { json };
      const { cursor: _cursor, next_stream_position: _position, ...rest } = json as Record<string, unknown>;
      return { json: { ...rest, cursor: null } };
    };

    const status = await runFor(vendor, 6);

    expect(vendor.ids()).toEqual([...names(4), 'b', 'c']);
    expect(status).toMatchObject({ state: 'idle', consecutive_failures: 0 });
  });

  it('never waits for ever behind a full page without a cursor, and says so', async () => {
    if (form === 'last_id') return;
    const vendor = logVendor(form);
    vendor.entries.push(...names(9).map((id, i) => entry(id, noon - 9 * minute + i)));
    vendor.onAsk = (_ask, usual) => {
      const { json } = usual();
      if (Array.isArray(json)) return { json };
      return { json: { ...(json as object), cursor: undefined, next_stream_position: undefined } };
    };

    const status = await runFor(vendor, 3);

    expect([vendor.ids(), status.state]).toEqual([names(3), 'failing']);
    expect(status.last_error?.message).toMatch(/names no cursor, so that nothing after it can be asked for/);
  });
});

describe('where reading begins', () => {
  it('asks for the start of the source where the vendor takes a time', async () => {
    const vendor = logVendor('polling_link');
    vendor.entries.push(entry('old', noon - 3 * hour), entry('new', noon - 30 * minute));

    await runFor(vendor, 1);

    expect([vendor.ids(), vendor.asks[0]?.since]).toEqual([['new'], noon - hour]);
  });

  it('reads from the oldest where the vendor takes none, and leaves out what lies before the start', async () => {
    const vendor = logVendor('last_id');
    vendor.entries.push(entry('old', noon - 3 * hour), entry('new', noon - 30 * minute));

    const status = await runFor(vendor, 1);

    expect([vendor.ids(), status.records]).toEqual([['new'], { fetched: 2, new: 1, duplicate: 0, excluded: 1, unreadable: 0 }]);
  });

  it('takes a record of before the start that shows up later', async () => {
    const vendor = logVendor('last_id');
    vendor.entries.push(entry('new', noon - 30 * minute), entry('late', noon - 3 * hour, noon + 3 * minute));

    await runFor(vendor, 5);

    expect(vendor.ids()).toEqual(['new', 'late']);
  });

  it('begins at the end of the log for a source that starts now', async () => {
    const vendor = logVendor('position');
    vendor.entries.push(...names(9).map((id, i) => entry(id, noon - 9 * minute + i)), entry('after', noon + 2 * minute));

    await runFor(vendor, 4, { start: 'now' });

    expect([vendor.asks[0]?.cursor, vendor.ids()]).toEqual(['now', ['after']]);
  });

  it('reads from the oldest for a source that was to start now while the vendor was away', async () => {
    const vendor = logVendor('position');
    vendor.entries.push(entry('before', noon - minute), entry('during', noon + 5 * minute), entry('after', noon + 20 * minute));
    vendor.onAsk = () => (vendor.clock.now() < noon + 10 * minute ? { status: 503 } : undefined);

    await runFor(vendor, 40, { start: 'now' });

    expect(vendor.ids()).toEqual(['during', 'after']);
  });

  it.each([true, false])(
    'begins at the end once, also where an empty log names no place (a log with others before: %s)',
    async (old) => {
      const vendor = logVendor('position');
      if (old) vendor.entries.push(entry('old', noon - 3 * hour));
      vendor.entries.push(entry('first', noon + 25_000), entry('second', noon + 5 * minute));
      vendor.onAsk = () =>
        vendor.clock.now() < noon + 25_000 ? { json: { entries: [], next_stream_position: null } } : undefined;

      await runFor(vendor, 10, { start: 'now', schedule: { everyMs: 10_000 } as never });

      expect([vendor.ids(), vendor.asks.filter(({ cursor }) => cursor === 'now').length]).toEqual([['first', 'second'], 1]);
    },
  );

  it('asks for no time that the vendor has forgotten, and for none at all where nobody knows the oldest', async () => {
    const kept = logVendor('polling_link', { 'cursor.retention': '2d' });
    const unknown = logVendor('polling_link');

    await runFor(kept, 1, { start: { at: 0 } });
    await runFor(unknown, 1, { start: { at: 0 } });

    expect([kept.asks[0]?.since, unknown.asks[0]?.since]).toEqual([noon - 2 * day + minute, undefined]);
  });

  it('follows the clock of the vendor where ours is ahead', async () => {
    const vendor = logVendor('polling_link');
    const behind = 2 * day;
    vendor.entries.push(entry('a', noon - behind + 3 * minute, noon + 3 * minute));
    vendor.onAsk = (_ask, usual) => {
      const answer = usual();
      return { ...answer, headers: { ...answer.headers, date: new Date(vendor.clock.now() - behind).toUTCString() } };
    };

    await runFor(vendor, 5, { start: 'now' });

    expect([vendor.ids(), vendor.asks.map(({ since }) => since).filter((since) => since !== undefined)]).toEqual([
      ['a'],
      [noon, noon - behind],
    ]);
  });

  it('holds when even the first request is refused', async () => {
    const vendor = logVendor('polling_link');
    vendor.onAsk = () => ({ status: 400, json: { errorSummary: 'since is not a time' } });

    const { state, last_error: error } = await runFor(vendor, 1);

    expect([state, error?.message]).toEqual(['hold', expect.stringContaining('answered 400 "since is not a time"')]);
  });
});

const refusals: readonly [string, object][] = [
  ...[400, 402, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 416, 418, 422, 423, 451, 498].map(
    (status): [string, object] => [`${status}`, { status }],
  ),
  ...[500, 501, 502, 503, 504, 507, 520, 530].map((status): [string, object] => [`${status}`, { status }]),
  ...[301, 302, 307].map((status): [string, object] => [
    `${status}`,
    { status, headers: { location: 'https://login.example.com/' } },
  ]),
  ['a page of HTML', { body: Buffer.from('<!doctype html><title>Sign in</title>'), headers: { 'content-type': 'text/html' } }],
  ['an empty body', { body: Buffer.from('') }],
  ['a body that is cut off', { body: Buffer.from('{"entries":[{"id":') }],
  ['an error in the body', { json: { error: { code: 'invalid_position', message: 'Position has expired' } } }],
  ['a failure beside an empty list', { json: { entries: [], next_stream_position: 8, success: false } }],
  ['a list that is not there', { json: { next_stream_position: 8 } }],
  ['a list of another kind', { json: { entries: {}, next_stream_position: 8 } }],
];

it.each(refusals)(
  'begins again within about a minute when a cursor is answered with %s, over restarts too',
  async (_what, answer) => {
    for (const restarts of [false, true]) {
      const vendor = logVendor('position');
      vendor.entries.push(...names(4).map((id, i) => entry(id, noon - 30 * minute + i * minute)));
      await runFor(vendor, 2);
      vendor.entries.push(...names(4, 'new').map((id, i) => entry(id, noon + 2 * minute + i)));
      // What was given out before is taken no more.
      const before = vendor.asks.length;
      let isFresh = false;
      vendor.onAsk = ({ cursor, count }) => {
        isFresh ||= count >= before && (cursor === '0' || cursor === undefined);
        return isFresh ? undefined : answer;
      };
      if (restarts) await runFor(vendor, 1 / 2);

      const { state } = await runFor(vendor, 2);

      expect([state, vendor.ids()]).toEqual(['idle', [...names(4), ...names(4, 'new')]]);
    }
  },
);

describe('a cursor that the vendor takes again', () => {
  const opened = async (): Promise<ReturnType<typeof logVendor>> => {
    const vendor = logVendor('polling_link');
    vendor.entries.push(...names(5).map((id, i) => entry(id, noon - 30 * minute + i * minute)), entry('z', noon));
    await runFor(vendor, 3);
    vendor.entries.push(entry('late', noon - hour, noon + 3 * minute + 1), entry('new', noon + 3 * minute + 2));
    return vendor;
  };

  it.each([404, 410, 400])('is gone on from where it was answered with %d once', async (status) => {
    const vendor = await opened();
    let isOver = false;
    vendor.onAsk = ({ cursor }) => {
      if (isOver || cursor === undefined) return undefined;
      isOver = true;
      return { status };
    };

    const { warnings } = await runFor(vendor, 5);

    expect([vendor.ids(), warnings, vendor.said(lost)]).toEqual([[...names(5), 'z', 'late', 'new'], [], 0]);
  });

  it.each([503, 500, 404])('is gone on from where the vendor comes back (from %d) before the first request', async (status) => {
    const vendor = await opened();
    let [isBack, atCursor] = [false, 0];
    vendor.onAsk = ({ cursor }) => {
      if (cursor !== undefined) atCursor += 1;
      isBack ||= cursor === undefined && (status === 404 || atCursor > 9);
      return isBack ? undefined : { status };
    };

    const shown = await runFor(vendor, 40);

    expect([vendor.ids(), shown.state, vendor.said(lost)]).toEqual([[...names(5), 'z', 'late', 'new'], 'idle', 0]);
  });

  it.each([401, 429])('stays where asking once more is answered with %d', async (status) => {
    const vendor = await opened();
    let asked = 0;
    vendor.onAsk = ({ cursor }) => {
      if (cursor === undefined || asked > 1) return undefined;
      asked += 1;
      return { status: asked === 1 ? 404 : status, headers: { 'retry-after': '60' } };
    };

    await runFor(vendor, 10);
    await runFor(vendor, 10);

    expect([vendor.ids(), vendor.said(lost)]).toEqual([[...names(5), 'z', 'late', 'new'], 0]);
  });
});

it('waits as long as it is told to, at the same cursor', async () => {
  const vendor = logVendor('position');
  vendor.entries.push(...names(4).map((id, i) => entry(id, noon - 30 * minute + i * minute)));
  await runFor(vendor, 2);
  vendor.entries.push(entry('new', noon + 3 * minute));
  const before = vendor.asks.length;
  vendor.onAsk = () => (vendor.clock.now() < noon + 20 * minute ? { status: 429, headers: { 'retry-after': '120' } } : undefined);

  await runFor(vendor, 30);

  expect([vendor.ids(), vendor.said(lost)]).toEqual([[...names(4), 'new'], 0]);
  expect(vendor.asks.slice(before).every(({ cursor }) => cursor === '4' || cursor === '5')).toBe(true);
});

it.each(['position', 'post_body'] as const)(
  'goes round no circle of cursors (%s), and collects what lies on it',
  async (form) => {
    const vendor = logVendor(form);
    vendor.entries.push(...names(9).map((id, i) => entry(id, noon - 9 * minute + i)));
    vendor.onAsk = (_ask, usual) => {
      const { json } = usual() as { json: Record<string, unknown> };
      const end = String(json['cursor'] ?? json['next_stream_position']);
      const place = end === '9' ? '3' : end;
      return { json: { ...json, cursor: place, next_stream_position: place, has_more: true } };
    };

    const status = await runFor(vendor, 3);

    expect([vendor.ids(), status.state, status.last_error?.code]).toEqual([names(9), 'failing', 'PEN_PAGE_LOOP']);
    expect(vendor.asks.length).toBeLessThan(40);
  },
);

it('goes on with what a page of one poll left when a cursor goes backwards in the next', async () => {
  const vendor = logVendor('position');
  vendor.entries.push(...names(6).map((id, i) => entry(id, noon - 9 * minute + i)));
  await runFor(vendor, 2);
  let isBack = false;
  vendor.onAsk = () => {
    if (isBack) return undefined;
    isBack = true;
    return { json: { entries: [], next_stream_position: 2 } };
  };
  vendor.entries.push(entry('new', noon + 3 * minute));

  const status = await runFor(vendor, 4);

  expect([vendor.ids(), status.state]).toEqual([[...names(6), 'new'], 'idle']);
});

itInLongTests('collects a page of 100,000 tiny records', async () => {
  const vendor = logVendor('position');
  const time = new Date(noon - minute).toISOString();
  vendor.onAsk = ({ cursor }) => ({
    json: {
      entries: cursor === '0' ? Array.from({ length: 100_000 }, (_, i) => ({ id: i, time })) : [],
      next_stream_position: 100_000,
    },
  });

  await using loop = vendor.open();
  await vendor.clock.until(loop.pollOnce(never));

  expect([loop.status().records.new, loop.status().details]).toEqual([100_000, { caught_up: true }]);
});

it('takes over a source that was read by windows, without a loss and without a double', async () => {
  const vendor = logVendor('polling_link');
  vendor.entries.push(...names(6).map((id, i) => entry(id, noon - 10 * minute + i * minute)));
  await runFor(vendor, 1);
  const { cursor: _cursor, ...live } = (await vendor.journal.checkpoint('s', 'live')) as Record<string, unknown>;
  const walk = {
    from: noon - 30 * minute,
    to: noon,
    readFrom: noon - 30 * minute,
    state: { kind: 'link', path: '/x' },
    pages: 3,
    began: noon,
  };
  await vendor.journal.append({
    source: 's',
    checkpoint: { name: 'live', value: { ...live, until: noon - 5 * minute, from: noon - 12 * minute, walk } },
  });
  vendor.entries.push(entry('late', noon - 11 * minute, noon + 2 * minute), entry('new', noon + 3 * minute));
  const before = vendor.asks.length;

  await runFor(vendor, 5);

  expect(vendor.ids()).toEqual([...names(6), 'late', 'new']);
  expect(vendor.asks[before]).toMatchObject({ cursor: undefined, since: noon - 25 * minute });
});

it('begins again when the connector looks for its cursor in another place than before', async () => {
  const vendor = logVendor('position');
  vendor.entries.push(...names(4).map((id, i) => entry(id, noon - 10 * minute + i)));
  await runFor(vendor, 1);
  const live = (await vendor.journal.checkpoint('s', 'live')) as { cursor: object };
  const cursor = { ...live.cursor, place: { kind: 'link', path: '/v1/logs?after=4' } };
  await vendor.journal.append({ source: 's', checkpoint: { name: 'live', value: { ...live, cursor } } });

  await runFor(vendor, 2);

  expect([
    vendor.ids(),
    vendor.said('the stored cursor is of another kind than the connector uses now, reading begins again'),
  ]).toEqual([names(4), 1]);
});

describe('a log in the order of storing, which no time of a record measures', () => {
  const history = names(60).map((id, i) => entry(id, noon - 10 * day + i * hour));
  /** Looks a start time up in the order of storing. */
  const storedSince = (vendor: ReturnType<typeof logVendor>, since: number, hasLink = true) => {
    const stored = ({ time, visibleAt = time }: (typeof vendor.entries)[number]): number => visibleAt;
    const log = [...vendor.entries].sort((a, b) => stored(a) - stored(b));
    const found = log.findIndex((one) => stored(one) >= since);
    const start = found === -1 ? log.length : found;
    const rows = log.slice(start, start + 3);
    const json = rows.map(({ id, time }) => ({ id, time: new Date(time).toISOString(), action: 'read' }));
    const link = `<https://api.example.com/v1/logs?after=${start + rows.length}>; rel="next"`;
    const headers: Record<string, string> = hasLink ? { link } : {};
    return { json, headers };
  };

  it.each([
    ['the cursor is refused', 410],
    ['the first page lacks its link', undefined],
  ])('is read from where reading began when on the way, behind a record of the future, %s', async (_what, status) => {
    const vendor = logVendor('polling_link');
    vendor.entries.push(...history, entry('future', noon + day, noon - 10 * day + 1));
    // A cursor that is refused is asked for once more.
    let broken = status === undefined ? 1 : 0;
    vendor.onAsk = ({ cursor, count, since }) => {
      const isFirst = cursor === undefined && since !== undefined;
      const breaks = broken < 2 && (status === undefined ? isFirst : !isFirst && count >= 3);
      if (breaks) broken += 1;
      if (isFirst) return storedSince(vendor, since, !breaks);
      return breaks && status !== undefined ? { status } : undefined;
    };

    await runFor(vendor, 20, { start: { backMs: 30 * day } });

    expect([vendor.ids().length, new Set(vendor.ids())]).toEqual([61, new Set([...names(60), 'future'])]);
  });

  it('is read from where reading began when the cursor is refused behind a record hours ahead of the others', async () => {
    const vendor = logVendor('polling_link');
    const stored = noon - 10 * day;
    vendor.entries.push(entry('ahead', noon - 5 * day + 3 * hour, stored));
    vendor.entries.push(...names(30).map((id, i) => entry(id, noon - 5 * day + i * 10 * minute, stored + i + 1)));
    let refused = 0;
    vendor.onAsk = ({ cursor, count }) => {
      if (refused === 2 || cursor === undefined || count < 3) return undefined;
      refused += 1;
      return { status: 410 };
    };

    await runFor(vendor, 10, { start: { backMs: 30 * day } });

    expect(vendor.ids()).toEqual(['ahead', ...names(30)]);
  });
});

it('takes over a source whose windows lie in the future, from its last record on', async () => {
  const vendor = logVendor('polling_link');
  vendor.entries.push(...names(6).map((id, i) => entry(id, noon - 30 * minute + i * minute)));
  await runFor(vendor, 1);
  const { cursor: _cursor, ...live } = (await vendor.journal.checkpoint('s', 'live')) as Record<string, unknown>;
  const ahead = { start: noon - day, until: noon + 6 * hour, from: noon + 6 * hour - 5 * minute, newest: noon - 25 * minute };
  await vendor.journal.append({ source: 's', checkpoint: { name: 'live', value: { ...live, ...ahead } } });
  vendor.entries.push(entry('mid', noon - 20 * minute, noon + minute), entry('new', noon + 5 * minute));

  const status = await runFor(vendor, 10);

  expect([vendor.ids(), status.state]).toEqual([[...names(6), 'mid', 'new'], 'idle']);
});

it.each(['post_body', 'polling_link'] as const)(
  'asks %s for what the vendor keeps by the slower clock, however far ours is ahead at the first request',
  async (form) => {
    const aheadMs = 730 * day;
    const vendor = logVendor(form);
    vendor.entries.push(entry('before', noon - 2 * day), entry('after', noon - minute));
    vendor.clock.step(aheadMs);
    vendor.onAsk = (_ask, usual) => {
      const { headers, ...answer } = usual();
      return { ...answer, headers: { ...headers, date: new Date(vendor.clock.now() - aheadMs).toUTCString() } };
    };

    await runFor(vendor, 10, { start: { at: noon - 3 * day }, retentionMs: 90 * day });

    expect(vendor.asks.slice(0, 2).map(({ since }) => since)).toEqual([noon + aheadMs - 90 * day + minute, noon - 3 * day]);
    expect(vendor.ids()).toEqual(['before', 'after']);
  },
);

it.each(['post_body', 'polling_link'] as const)(
  'asks %s again by the slower clock where its cursor is refused while ours is ahead',
  async (form) => {
    const aheadMs = 730 * day;
    const vendor = logVendor(form);
    vendor.entries.push(entry('before', noon - 2 * day));
    const refused: { ask?: boolean; aheadMs: number } = { aheadMs: 0 };
    vendor.onAsk = ({ cursor }, usual) => {
      const date = new Date(vendor.clock.now() - refused.aheadMs).toUTCString();
      if (refused.ask === true && cursor !== undefined)
        return { status: 400, json: { error: 'unknown cursor' }, headers: { date } };
      const { headers, ...answer } = usual();
      return { ...answer, headers: { ...headers, date } };
    };
    const source = { start: { at: noon - 3 * day }, retentionMs: 90 * day };
    await runFor(vendor, 3, source);
    vendor.entries.push(entry('between', noon + minute));
    vendor.clock.step(aheadMs);
    Object.assign(refused, { ask: true, aheadMs });

    await runFor(vendor, 10, source);

    expect([...new Set(vendor.ids())]).toEqual(['before', 'between']);
  },
);

it.each(['post_body', 'polling_link'] as const)(
  'asks %s for nothing that the vendor keeps no more, though requests take a while',
  async (form) => {
    const vendor = logVendor(form);
    vendor.entries.push(entry('a', noon - hour));
    vendor.onAsk = ({ since = noon }) =>
      since < vendor.clock.now() + 30_000 - day ? { status: 400, json: { error: 'too far back' } } : undefined;

    const shown = await runFor(vendor, 3, { start: { backMs: 30 * day }, retentionMs: day });

    expect([shown.state, vendor.ids()]).toEqual(['idle', ['a']]);
  },
);

it.each([
  ['is behind', -730 * day, true],
  ['is right', 0, true],
  ['is ahead, and the vendor tells no time', 730 * day, false],
] as const)('asks once for what the vendor keeps where our clock %s', async (_, aheadMs, tells) => {
  const vendor = logVendor('polling_link');
  vendor.clock.step(aheadMs);
  vendor.onAsk = (_ask, usual) => {
    const { headers, ...answer } = usual();
    return { ...answer, headers: { ...headers, date: tells ? new Date(vendor.clock.now() - aheadMs).toUTCString() : '' } };
  };

  await runFor(vendor, 2, { start: { at: noon - 3 * day }, retentionMs: 90 * day });

  expect(vendor.asks.filter(({ since, cursor }) => since !== undefined && cursor === undefined)).toHaveLength(1);
});

it('takes no record of the future for how far the log was read', async () => {
  const vendor = logVendor('polling_link');
  vendor.entries.push(entry('a', noon - 30 * minute), entry('future', noon + 6 * hour, noon - 29 * minute));
  const { warnings } = await runFor(vendor, 180);
  vendor.entries.push(entry('late', noon + 10 * minute, noon + 181 * minute));
  const refused = vendor.asks.at(-1)?.cursor;
  vendor.onAsk = ({ cursor }) => (cursor !== undefined && cursor === refused ? { status: 410 } : undefined);

  await runFor(vendor, 10);

  expect([warnings, vendor.ids()]).toEqual([[], ['a', 'future', 'late']]);
});

it('goes on within a page of which a part was committed when the journal failed', async () => {
  const vendor = logVendor('position');
  const large = names(6_000).map((id) => ({ id, time: new Date(noon - 30 * minute).toISOString(), action: 'read' }));
  vendor.entries.push(...names(3, 'first').map((id, i) => entry(id, noon - 40 * minute + i)));
  vendor.onAsk = ({ cursor }) => {
    if (cursor === '3') return { json: { entries: large, next_stream_position: 6_003 } };
    return cursor === '6003' ? { json: { entries: [], next_stream_position: 6_003 } } : undefined;
  };
  const append = vendor.journal.append.bind(vendor.journal);
  let fails = 1;
  Object.assign(vendor.journal, {
    append: async (commit: Parameters<typeof append>[0]) => {
      if (commit.page?.records.length === 1_000 && fails-- > 0) throw new Error('the disk failed');
      await append(commit);
    },
  });

  await runFor(vendor, 10);

  expect(new Set(vendor.ids()).size).toBe(6_003);
  expect(vendor.ids().length).toBe(6_003);
});

it('begins again no further back than ids are remembered, however long ago reading began', () => {
  const vendor = logVendor('post_body');
  const context = { settings: settings(), seams: { clock: vendor.clock } } as unknown as SourceContext;
  const cursor = { place: { kind: 'token', token: 'x' }, from: noon - 200 * day, isCaughtUp: false } as const;
  const live = { connector: 'example', identity: {}, start: noon - 300 * day, until: noon, newest: noon, cursor };
  const reader = { begins: { atTime: true } } as CursorReader;

  const again = begunAgain(context, live, reader).cursor;

  expect(again).toMatchObject({ place: null, from: noon + day - idMemoryMs(context.settings) });
  expect(again.from).toBeGreaterThan(cursor.from);
});
