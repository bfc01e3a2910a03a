// A HEC that misbehaves at random, seeded: whatever it does, every event ends up indexed or in a dead letter with its reason.
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live } from './delivering.ts';
import { envelopes, hecOptions, ok } from './hec.ts';
import { openReceiver, type Receiver, type Reply, type Seen } from './http-receiver.ts';

const uidsOf = ({ text }: Seen): string[] => envelopes(text).map(({ fields }) => (fields as { penstock_id: string }).penstock_id);
const cut: Reply = (response) => void response.destroy();
const bad = (uid: string): boolean => uid.endsWith('7') && uid.length === 3;

interface Splunk extends Receiver {
  /** How often each event was indexed. */
  readonly indexed: Map<string, number>;
}

/** Indexes what it takes; refuses events whose uid is bad; one request in three goes wrong in some way. */
async function openSplunk(seed: number, acknowledges: boolean): Promise<Splunk> {
  const random = seededRandom(seed);
  const indexed = new Map<string, number>();
  const channels = new Map<string, string[][]>();
  const index = (uids: readonly string[]): void => {
    for (const uid of uids) indexed.set(uid, (indexed.get(uid) ?? 0) + 1);
  };
  const poll = (seen: Seen, channel: string): Reply => {
    const { acks } = JSON.parse(seen.text) as { acks: number[] };
    const told = Object.fromEntries(acks.map((id) => [id, random.float() < 0.6]));
    for (const id of acks) if (told[id] === true) index(channels.get(channel)?.[id] ?? []);
    return random.float() < 0.15 ? cut : { status: 200, body: { acks: told } };
  };
  const take = (uids: string[], channel: string): Reply => {
    if (!acknowledges) {
      index(uids);
      return random.float() < 0.1 ? cut : random.float() < 0.1 ? { status: 200, body: '<html>' } : ok;
    }
    const taken = channels.get(channel) ?? [];
    channels.set(channel, [...taken, uids]);
    return random.float() < 0.1 ? cut : { status: 200, body: { text: 'Success', code: 0, ackId: taken.length } };
  };
  const receiver = await openReceiver((seen) => {
    const channel = String(seen.headers['x-splunk-request-channel']);
    if (seen.path.endsWith('/ack')) return poll(seen, channel);
    if (random.float() < 0.1) return { status: 503, body: { text: 'Server is busy', code: 9, 'invalid-event-number': 2 } };
    if (random.float() < 0.05) return { status: 502, body: '<html>Bad gateway</html>' };
    const uids = uidsOf(seen);
    const at = uids.findIndex(bad);
    if (at === -1) return take(uids, channel);
    if (!acknowledges) index(uids.slice(0, at));
    return { status: 400, body: { text: 'Invalid data format', code: 6, 'invalid-event-number': at } };
  });
  return { ...receiver, indexed, [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() };
}

it.each([
  { seed: 1, acknowledges: false },
  { seed: 2, acknowledges: true },
  { seed: 3, acknowledges: true },
])('loses nothing: seed $seed, acknowledgements $acknowledges', async ({ seed, acknowledges }) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 300));
  await using one = await openSplunk(seed, acknowledges);
  await using two = await openSplunk(seed + 100, acknowledges);
  const options = hecOptions([one.url, two.url], {
    acknowledge: acknowledges ? 'require' : 'off',
    ack_poll: '10ms',
    ack_timeout: '150ms',
  });
  await using delivering = deliver(journal, (context) => openSplunkHec(options, context), {
    settings: { batch: { events: 10, bytes: 1_000_000, waitMs: 0 }, inFlight: 4, timeoutMs: 2000 },
  });

  const isDrained = await delivering.drained();

  const all = records('e', 300).map(({ uid }) => uid);
  const indexed = new Set([...one.indexed.keys(), ...two.indexed.keys()]);
  expect(isDrained).toBe(true);
  expect(all.filter((uid) => !indexed.has(uid))).toEqual(all.filter(bad));
  expect(journal.letters.map(({ record, code }) => `${record.uid} ${code}`).toSorted()).toEqual(
    all.filter(bad).map((uid) => `${uid} hec_6`),
  );
  expect(journal.settled.acknowledged).toBe(300 - all.filter(bad).length);
});
