// Judges a run once vendors are quiet, receivers healthy and nothing is left to do.
import { readLedger } from '../../src/operate/report/ledger.ts';
import type { Entry } from './feed.ts';
import type { Life } from './life.ts';
import { badContent } from './receivers.ts';
import type { Feed } from './runtime.ts';
import { mostStaleMs, type SinkPlan } from './scenario.ts';
import { contentKey, owedKey } from './witness.ts';
import type { World } from './world.ts';

const most = 1_000_000;

/** True for a record that must be collected: it showed up in time (everywhere, where copies of the vendor lag behind), or somebody looks again later. */
function isPromised({ plan, connector }: Feed, entry: Entry, start: number, lagMs: number): boolean {
  if (entry.self || entry.goneAt < Infinity) return false;
  if (plan.kind === 'stream' || plan.kind === 'files') return true;
  if (entry.time < start) return false;
  // A cursor passes nothing by, however late it shows up.
  if (plan.kind === 'link') return true;
  if (plan.sweepEveryMs !== undefined) return true;
  const { overlapMs, settleMs } = connector.defaults;
  return entry.visibleAt + lagMs - entry.time <= overlapMs + settleMs - 1_000;
}

async function startOf(life: Life, source: string): Promise<number> {
  const live = (await life.journal?.checkpoint(source, 'live')) as { start?: number } | undefined;
  return live?.start ?? 0;
}

/** Contents whose dead letters a sink has. */
async function lettersOf({ witness }: World, life: Life, sink: string): Promise<Map<string, string>> {
  const letters = (await life.journal?.deadLetters({ sink }, most)) ?? [];
  return new Map(
    letters.map(({ source, record, code }) => [
      `${source}\n${witness.contentOf(source, record.uid, record.record) ?? record.uid}`,
      code,
    ]),
  );
}

/** How many records a sink may lack: letters that were discarded, and what was left out for it while the journal was full, or nobody was configured with it. */
async function leftOutOf(life: Life, sink: string): Promise<number> {
  const rows = (await life.journal?.ledger())?.rows ?? [];
  return rows
    .filter((row) => row.sink === sink)
    .reduce((sum, { totals }) => sum + totals.discarded + totals.skipped + totals.abandoned, 0);
}

/** What is promised and not there yet, in words. */
export async function missing(world: World, life: Life): Promise<string[]> {
  const { feeds, receivers, witness, scenario } = world;
  const words: string[] = [];
  const starts = new Map<string, number>();
  for (const { plan } of feeds) starts.set(plan.name, await startOf(life, plan.name));
  for (const { plan: sink } of receivers) {
    const letters = await lettersOf(world, life, sink.name);
    const lacking: string[] = [];
    for (const feed of feeds) {
      const { plan, vendor } = feed;
      const committed = witness.committed.get(plan.name) ?? new Map<string, Entry>();
      const lagMs = scenario.faults.some(({ on, kind }) => on === plan.name && kind === 'stale') ? mostStaleMs : 0;
      const arrived = witness.arrived(sink.name, plan.name);
      for (const entry of vendor.entries) {
        const key = contentKey(entry.facts);
        const isCommitted = committed.has(key);
        if (entry.self || !(isCommitted || isPromised(feed, entry, starts.get(plan.name) ?? 0, lagMs))) continue;
        if (arrived.has(key) || letters.has(`${plan.name}\n${key}`)) continue;
        if (witness.notOwed.has(owedKey(sink.name, plan.name, key))) continue;
        const how = isCommitted ? 'was collected' : 'was promised';
        const text = `record ${entry.plan.n} of ${plan.name} (${entry.facts.uid}) ${how} and is neither at ${sink.name} nor in its dead letters`;
        (isCommitted ? lacking : words).push(text);
      }
    }
    if (lacking.length > 0 && lacking.length > (await leftOutOf(life, sink.name))) words.push(...lacking);
  }
  const pending = (await Promise.all(receivers.map(({ plan }) => life.journal?.lanes(plan.name) ?? Promise.resolve([])))).flat();
  for (const { lane, pending: records } of pending)
    if (records > 0) words.push(`${records} records of ${lane.source} (${lane.kind}) are pending`);
  return words;
}

async function refusedContents(world: World, life: Life): Promise<string[]> {
  const letters = await Promise.all(world.receivers.map(({ plan }) => lettersOf(world, life, plan.name)));
  return letters.flatMap((ofSink) => [...ofSink.keys()]);
}

async function checkLedger(world: World, life: Life): Promise<void> {
  const { feeds, receivers, witness } = world;
  if (life.journal === undefined) return;
  const ledger = await readLedger(life.journal);
  for (const text of ledger.imbalances) witness.problem(`the ledger does not balance: ${text}`);
  const refused = await refusedContents(world, life);
  for (const { plan } of feeds) {
    // What a commit left behind that was cut off before its answer counts too: it shows by its arrival or its letter.
    const arrived = receivers.flatMap((r) => [...witness.arrived(r.plan.name, plan.name)]);
    const lettered = refused.filter((key) => key.startsWith(`${plan.name}\n`)).map((key) => key.slice(plan.name.length + 1));
    const collected = new Set([...(witness.committed.get(plan.name)?.keys() ?? []), ...arrived, ...lettered]).size;
    const totals = ledger.sources[plan.name];
    // What such a commit left behind, and nobody has any more.
    const untold = Math.max(0, ...(await Promise.all(receivers.map((r) => leftOutOf(life, r.plan.name)))));
    const isCounted = totals === undefined || (totals.new >= collected && totals.new <= collected + untold);
    if (plan.logsReads !== true && totals !== undefined && !isCounted)
      witness.problem(`the ledger says ${totals.new} new records of ${plan.name}, the vendor handed out ${collected}`);
  }
  for (const { plan, byUid } of receivers) {
    const totals = ledger.sinks[plan.name];
    if (totals === undefined) continue;
    const letters = await life.journal.deadLetters({ sink: plan.name }, most);
    const contents = new Set(
      letters.map(({ source, record }) => `${source}\n${witness.contentOf(source, record.uid, record.record) ?? record.uid}`),
    );
    const delivered = new Set(
      feeds.flatMap(({ plan: { name } }) => [...witness.arrived(plan.name, name)].map((key) => `${name}\n${key}`)),
    );
    const undelivered = [...contents].filter((content) => !delivered.has(content));
    // An event that was settled before and is refused when it is sent once more becomes a letter beside the balance, and says so.
    const counted = letters.filter(({ replayed }) => replayed !== true).length;
    // One that was discarded or passed by and is refused by a replay is a letter, and stays what it was in the balance.
    const given = totals.discarded + totals.skipped + totals.abandoned;
    if (totals.dead_lettered !== counted || totals.dead_lettered + given < undelivered.length)
      witness.problem(
        `the ledger says ${totals.dead_lettered} dead letters of ${plan.name}, there are ${counted}, ${undelivered.length} of them undelivered`,
      );
    const taken = totals.acknowledged + totals.unconfirmed;
    if (taken > byUid.size) witness.problem(`the ledger says that ${plan.name} took ${taken} events, ${byUid.size} arrived`);
  }
}

async function checkLetters(world: World, life: Life): Promise<void> {
  const { receivers, witness, scenario } = world;
  const bad = new Set(scenario.events.flatMap((e) => (e.refusedBy ?? []).map((sink) => `${sink} ${e.source} ${e.n}`)));
  for (const { plan } of receivers) {
    const letters = await lettersOf(world, life, plan.name);
    for (const [source, contents] of witness.committed)
      for (const [key, entry] of contents) {
        const code = letters.get(`${source}\n${key}`);
        if (code === 'not_taken')
          witness.problem(`record ${entry.plan.n} of ${source} was given up by ${plan.name}, which takes it`);
        if (code === badContent && !isBad(bad, world, plan.name, entry))
          witness.problem(`record ${entry.plan.n} of ${source} is a dead letter of ${plan.name}, which never refused it`);
      }
  }
}

// A copy shares the id of its original, and receivers refuse ids.
function isBad(bad: ReadonlySet<string>, { scenario }: World, sink: string, { plan }: Entry): boolean {
  const original = plan.copyOf ?? plan.n;
  return scenario.events.some(
    (e) => e.source === plan.source && (e.n === original || e.copyOf === original) && bad.has(`${sink} ${e.source} ${e.n}`),
  );
}

/** Faults after which a single event may be overtaken: what failed alone, or was refused and is tried again. */
const overtaking: readonly string[] = ['partial', 'refuse_all', 'forget', 'half', 'lost_answer', 'slow'];
/** So may be what was on its way over a connection that was lost, or went unread. */
const overtakingOnStreams: readonly string[] = [...overtaking, 'down', 'never'];
const streams: readonly SinkPlan['wire'][] = ['relp', 'syslog', 'syslog_octets'];
/** And what was refused as if it were all, by a receiver that answers what delivers nothing. */
const overtakingOverHttp: readonly string[] = [...overtaking, 'hold'];

/** First arrivals come in the order of their lane where one request at a time is sent and each gets its answer. */
function checkOrder({ receivers, witness, scenario }: World): void {
  for (const { plan, copies } of receivers) {
    const those = plan.wire === undefined ? overtaking : streams.includes(plan.wire) ? overtakingOnStreams : overtakingOverHttp;
    const unordered = scenario.faults.some(({ on, kind }) => on === plan.name && those.includes(kind));
    // A bulk API answers for each event: those that it was too busy for come after the others. Datagrams overtake each other.
    const isOrdered = plan.wire !== 'bulk' && plan.wire !== 'syslog_udp' && plan.acknowledges !== 'later';
    if (plan.inFlight > 1 || !isOrdered || unordered) continue;
    const last = new Map<string, number>();
    const known = new Set<string>();
    for (const { source, uid, replay } of copies) {
      if (replay || known.has(`${source} ${uid}`)) continue;
      known.add(`${source} ${uid}`);
      const place = witness.placeOf(source, uid);
      if (place === undefined) continue;
      if (place.position < (last.get(place.lane) ?? 0))
        witness.problem(`sink ${plan.name}: ${uid} arrived before an older record of lane ${place.lane}`);
      last.set(place.lane, Math.max(place.position, last.get(place.lane) ?? 0));
    }
  }
}

/** Notes every promise that the run broke. */
export async function judge(world: World, life: Life | undefined): Promise<void> {
  const { witness, time } = world;
  if (life?.journal === undefined) {
    if (witness.problems.length === 0) witness.problem('no life came up any more');
    return;
  }
  const lost = await time.track(missing(world, life));
  if (witness.problems.length === 0) for (const text of lost) witness.problem(text);
  await time.track(checkLedger(world, life));
  await time.track(checkLetters(world, life));
  checkOrder(world);
}
