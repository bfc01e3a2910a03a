// One window, page by page. A walk is new, resumed (token, link), begun again behind the last record (offset, ascending), scanned again
// (incomplete by count, at most twice), restarted (page token refused, once), and then complete or failed. Only complete moves `until`.
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import type { Page, PageState, RecordFacts, WindowReader } from '../../connectors/connector.ts';
import type { Commit } from '../../journal/journal.ts';
import { type AdmissionCounts, admit, examineAll, type SelfGuard } from '../admit.ts';
import type { WalkState } from '../checkpoint.ts';
import { type Halt, type SourceContext, vendorNow } from '../context.ts';
import { createWalkGuard, type WalkGuard } from './guard.ts';
import type { LedgerRow } from './ledger-row.ts';

/** A window to walk and what its commits say. */
export interface WalkPlan {
  readonly lane: 'live' | 'backfill';
  readonly walk: WalkState;
  /** The checkpoint behind a page: of the walk that goes on, or of the complete window. */
  checkpoint(step: WalkStep): NonNullable<Commit['checkpoint']>;
  readonly closedUntil?: number;
  /** The row of the ledger that counts a page; default one per window. */
  readonly row?: (walk: WalkState, isComplete: boolean) => LedgerRow;
  onPage?(counts: AdmissionCounts): void;
}

/** A walk that goes on, one that completed its window, or one that is given up: the window is cut anew. */
export type WalkStep = { readonly walk: WalkState } | { readonly complete: WalkState } | { readonly dropped: true };

/** Further scans of a window whose pages did not add up. */
const maxRescans = 2;

/** The walk of a window that nobody read yet, for a poll that began at a time (milliseconds, the vendor's clock). */
export function newWalk(from: number, to: number, began: number): WalkState {
  return { from, to, readFrom: from, state: null, pages: 0, began };
}

/** The walk from its first page again. */
function begun({ from, to, readFrom, began, serverTime }: WalkState): WalkState {
  return { from, to, readFrom, state: null, pages: 0, began, ...(serverTime === undefined ? {} : { serverTime }) };
}

/** Where a walk goes on that an earlier process or poll left behind. */
export function resumedWalk({ settings }: SourceContext, walk: WalkState): WalkState {
  if (walk.state === null || walk.state.kind !== 'offset') return walk;
  // Rows may have moved since: an offset names another row now.
  const begin = { ...begun(walk), readFrom: walk.from };
  if (walk.lastTime === undefined || !settings.connector.defaults.ascending) return begin;
  return { ...begin, readFrom: Math.max(walk.from, walk.lastTime - settings.window.overlapMs) };
}

/** Identity of a window in the ledger. */
export function windowKey(from: number, to: number): string {
  return `${new Date(from).toISOString()}/${new Date(to).toISOString()}`;
}

/** Lets at most as many self-made records pass for ours as requests were made in the window, give or take the overlap. */
export function createSelfGuard(c: SourceContext, from: number, to: number): SelfGuard {
  const { settings, deps, memory, log } = c;
  const left = new Set<string>();
  let warned = false;
  return {
    leavesOut(facts) {
      if (!facts.isSelfMade(deps.userAgent)) return false;
      memory.meetsOwnRecords = true;
      if (settings.selfEvents === 'forward') return false;
      if (left.has(facts.uid)) return true;
      const made = memory.requests.count(from - settings.window.overlapMs, to + settings.window.overlapMs);
      if (left.size < made) {
        left.add(facts.uid);
        return true;
      }
      if (!warned)
        log.warn({ requests: made }, 'more records claim to be made by our own requests than we made; the excess is forwarded');
      warned = true;
      return false;
    },
  };
}

interface Scan {
  readonly c: SourceContext;
  readonly plan: WalkPlan;
  readonly selfGuard: SelfGuard;
  walk: WalkState;
  guard: WalkGuard;
  rescans: number;
  restarted: boolean;
}

/** Walks a window to its end. Rejects with what ended it; what was committed stays, and the checkpoint says where to go on. */
export async function walkWindow(c: SourceContext, reader: WindowReader, plan: WalkPlan, halt: Halt): Promise<WalkState> {
  const { walk } = plan;
  const selfGuard = createSelfGuard(c, walk.from, walk.to);
  const scan: Scan = { c, plan, selfGuard, walk, guard: createWalkGuard(walk.state), rescans: 0, restarted: false };
  for (;;) {
    const page = await nextPage(scan, reader, halt);
    if (page === undefined) continue;
    if (await takePage(scan, page)) return scan.walk;
    halt.soft.throwIfAborted();
  }
}

/** Asks for the page at the walk's place; undefined when the token was refused and the window begins again. */
async function nextPage(scan: Scan, reader: WindowReader, halt: Halt): Promise<Page | undefined> {
  const { c, walk } = scan;
  const ceiling = c.settings.connector.defaults.maxPages;
  if (walk.pages >= ceiling) throw new PenstockError('PEN_PAGE_LOOP', `the window has more than ${ceiling} pages`);
  try {
    const page = await request(c, reader, { from: walk.readFrom, to: walk.to, state: walk.state }, halt);
    if (walk.serverTime === undefined && page.serverTime !== undefined) scan.walk = { ...walk, serverTime: page.serverTime };
    return page;
  } catch (error) {
    if (consequenceOf(error).walk !== 'restart' || scan.restarted) throw error;
    c.log.warn({ err: error }, 'page token refused, the window is walked again from its first page');
    scan.restarted = true;
    begin(scan);
    return undefined;
  }
}

function begin(scan: Scan): void {
  scan.walk = begun(scan.walk);
  scan.guard = createWalkGuard(null);
}

interface Asked {
  readonly from: number;
  readonly to: number;
  readonly state: PageState | null;
}

async function request(c: SourceContext, reader: WindowReader, asked: Asked, halt: Halt): Promise<Page> {
  const page = await counted(c, reader, () => reader.page(asked, halt.hard));
  measureSkew(c, page);
  return page;
}

/** Runs a request and notes how many left this machine, also when it failed: each may show up in the vendor's log. */
export async function counted<T>(c: SourceContext, reader: WindowReader, work: () => Promise<T>): Promise<T> {
  const before = reader.requestCount;
  try {
    return await work();
  } finally {
    c.memory.requests.add(vendorNow(c), reader.requestCount - before);
  }
}

function measureSkew({ memory, deps, log }: SourceContext, page: Page): void {
  if (page.serverTime === undefined) return;
  const { clock } = deps.seams;
  const ms = page.serverTime - clock.now();
  const wasFar = Math.abs(memory.skew?.ms ?? 0) > 60_000;
  if (Math.abs(ms) > 60_000 && !wasFar)
    log.warn({ skewMs: ms }, "the vendor's clock and ours differ; windows follow the slower one");
  memory.skew = { ms, at: clock.monotonic() };
}

/** Commits a page; true when it completed the window. */
async function takePage(scan: Scan, page: Page): Promise<boolean> {
  const { c, plan, walk } = scan;
  const facts = await examineAll(c, page.records);
  scan.guard.take(page, facts);
  const ended = page.next === null;
  const isComplete = ended && isWhole(scan, page);
  const next = ended ? begun(walk) : advanced(scan, page, facts);
  const counts = await admit(c, facts, {
    lane: plan.lane,
    window: plan.row?.(walk, isComplete) ?? { key: windowKey(walk.from, walk.to), from: walk.from, to: walk.to },
    checkpoint: plan.checkpoint(isComplete ? { complete: walk } : { walk: next }),
    complete: isComplete,
    selfGuard: scan.selfGuard,
    ...(plan.closedUntil === undefined ? {} : { closedUntil: plan.closedUntil }),
  });
  plan.onPage?.(counts);
  c.log.debug({ page: walk.pages + 1, ...counts }, 'page collected');
  if (isComplete) return true;
  if (ended) rescan(scan, page);
  else scan.walk = next;
  return false;
}

// Only an offset walk can skip rows unnoticed, and only a total tells.
function isWhole({ guard, walk }: Scan, page: Page): boolean {
  const byOffset = walk.state === null || walk.state.kind === 'offset';
  return !byOffset || page.total === undefined || guard.distinct >= guard.mostTotal;
}

function advanced({ c, walk }: Scan, page: Page, facts: readonly RecordFacts[]): WalkState {
  const { lastTime, lastTotal, ...rest } = walk;
  const total = page.total ?? lastTotal;
  // A total that shrank means rows went away and others moved up past us: then only a whole scan finds the skipped ones.
  const shrank = page.total !== undefined && lastTotal !== undefined && page.total < lastTotal;
  const wasSound = walk.pages === 0 || lastTime !== undefined;
  const newest = facts.at(-1)?.time ?? lastTime;
  const isSound = wasSound && !shrank && newest !== undefined && c.settings.connector.defaults.ascending;
  return {
    ...rest,
    state: page.next,
    pages: walk.pages + 1,
    ...(isSound ? { lastTime: newest } : {}),
    ...(total === undefined ? {} : { lastTotal: total }),
  };
}

function rescan(scan: Scan, page: Page): void {
  const fetched = scan.guard.distinct;
  if (scan.rescans === maxRescans) {
    throw new PenstockError(
      'PEN_WALK_INCOMPLETE',
      `the vendor counts ${page.total ?? 0} records in the window, but its pages hold ${fetched}`,
      {
        fix: 'nothing is lost: the window is read again at the next poll; if it stays so, report it to the vendor',
      },
    );
  }
  scan.rescans += 1;
  scan.c.log.warn(
    { total: page.total, fetched, scan: scan.rescans + 1 },
    'pages moved while they were read, the window is scanned again',
  );
  begin(scan);
}
