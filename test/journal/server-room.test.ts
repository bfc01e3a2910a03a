// What a database server lacks, beside how full the journal is.
import { expect, it } from 'vitest';
import type { OwnershipListener } from '../../src/journal/journal.ts';
import type { Core } from '../../src/journal/postgres/core.ts';
import { Room } from '../../src/journal/postgres/room.ts';
import { virtualClock } from '../virtual-clock.ts';

const memory = { what: 'the database server is out of memory', fix: 'give the database server more memory' };
const disk = { what: 'the disk of the database server is full', fix: 'free space' };
const maxBytes = 80_000;

/** The room of a journal with so many bytes stored; `refuse` has the server refuse one statement. */
async function roomWith(bytes: number) {
  const clock = virtualClock(1_000_000);
  const refusals: (typeof memory)[] = [];
  const wanted: number[] = [];
  const db = {
    s: 'penstock',
    where: 'postgres://db/penstock',
    query: () => Promise.resolve([{ bytes, pages: 0, records: 0, ids: 0, letters: 0, oldest: null }]),
    takeRefusal: () => refusals.shift(),
  };
  const room = new Room({ clock, db, member: undefined } as unknown as Core, maxBytes);
  room.relieveWith((more) => Promise.resolve(void wanted.push(more)));
  await room.refresh();
  return { clock, room, wanted, refuse: (why = memory) => void refusals.push(why) };
}

// Nearly full: one more large page fits, but not a tenth of the journal beside it, which is asked for once it was full.
const nearlyFull = 65_000;

it.each([memory, disk])('takes events again ten seconds after "$what", with nothing deleted for it', async (why) => {
  const { clock, room, wanted, refuse } = await roomWith(nearlyFull);
  const before = room.hasRoom();
  refuse(why);

  const during = room.hasRoom();
  await clock.advance(9_999);
  const late = room.hasRoom();
  await clock.advance(1);

  expect({ before, during, late, after: room.hasRoom(), wanted }).toEqual({
    before: true,
    during: false,
    late: false,
    after: true,
    wanted: [],
  });
});

it('is full until a tenth of the journal is free again, where what is stored fills it', async () => {
  const { room, wanted } = await roomWith(70_001);

  const full = room.hasRoom();

  expect({ full, wanted }).toEqual({ full: false, wanted: [18_000] });
  expect(room.usage().server).toEqual({ answers: true, refusal: undefined });
});

it('refuses a page with what the server said and what helps, not with a full journal', async () => {
  const { room, refuse, wanted } = await roomWith(0);
  refuse();

  await expect(room.makeRoom(1_000)).rejects.toMatchObject({ code: 'PEN_JOURNAL_FULL', message: memory.what, fix: memory.fix });
  expect(wanted).toEqual([]);
});

it.each([
  { what: 'for a minute after it is asked again', stores: false, shown: [memory, memory, undefined] },
  { what: 'until it stored something', stores: true, shown: [memory, undefined, undefined] },
])('says why the server stored nothing $what', async ({ stores, shown }) => {
  const { clock, room, refuse } = await roomWith(0);
  refuse();
  const told = [room.usage().server?.refusal];
  await clock.advance(10_000);
  if (stores) room.appended({ bytes: 1, pages: 1, records: 1 });

  await clock.advance(59_999);
  told.push(room.usage().server?.refusal);
  await clock.advance(1);
  told.push(room.usage().server?.refusal);

  expect(told).toEqual(shown);
});

it('has room from the moment on in which sources come back after an outage, not from the next reading on', async () => {
  const clock = virtualClock(1_000_000);
  let isAway = false;
  const used = { bytes: 0, pages: 0, records: 0, ids: 0, letters: 0, oldest: null };
  const query = () => (isAway ? Promise.reject(new Error('no answer')) : Promise.resolve([used]));
  const listeners: OwnershipListener[] = [];
  const watch = (listener: OwnershipListener) => {
    listeners.push(listener);
    return { [Symbol.dispose]: () => undefined };
  };
  const db = { s: 'penstock', where: 'postgres://db/penstock', query, takeRefusal: () => undefined };
  const member = { lease: { isValid: true }, watch };
  const room = new Room({ clock, db, member } as unknown as Core, maxBytes);
  await room.start();

  isAway = true;
  await clock.advance(5_000);
  const during = room.hasRoom();
  isAway = false;
  for (const listener of listeners) listener.gained(['s']);

  expect([during, room.hasRoom()]).toEqual([false, true]);
  room.close();
});
