// What a source remembers of its position. Plain JSON, no secret: page states are made secret-free by the connector's reader.

import { PenstockError } from '../base/errors.ts';
import { canonicalJson, isObject, type Json } from '../base/json.ts';
import { iso } from '../base/quantity.ts';
import type { PageState } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import type { SourceContext } from './context.ts';

/** A walk over the pages of one window that has not ended yet. */
export interface WalkState {
  /** The window in milliseconds; both bounds stay frozen for the walk, across crashes too. */
  readonly from: number;
  readonly to: number;
  /** Where the requests begin when a crashed offset walk goes on after its last committed record; otherwise `from`. */
  readonly readFrom: number;
  /** The next page; null for the first. */
  readonly state: PageState | null;
  readonly pages: number;
  /** Records read so far. */
  readonly read?: number;
  /** Time of the last committed record, milliseconds; present only while a restart after it would be sound. */
  readonly lastTime?: number;
  readonly lastTotal?: number;
  /** The vendor's time as of the walk's first page, milliseconds. */
  readonly serverTime?: number;
  /** When the poll began that cut this window, milliseconds on the vendor's clock: what showed up later may be missing. */
  readonly began: number;
}

/** True for a place that is counted: rows that come or go meanwhile move what stands there. */
export const isCounted = (state: PageState | null): boolean =>
  state?.kind === 'offset' || (state?.kind === 'token' && state.counts === true);

/** Checkpoint `live` of every kind of source. */
export interface LiveCheckpoint {
  readonly connector: string;
  readonly identity: Readonly<Record<string, string>>;
  /** Nothing before this time is asked for. Fixed durably before the first poll. */
  readonly start: number;
  /** Everything up to here is collected; for streams and files the newest committed record's time. */
  readonly until: number;
  /** Where the next poll begins, milliseconds: `until` minus the overlap, or earlier after a poll that took long. */
  readonly from?: number;
  /** Time of the newest record that the live windows brought, milliseconds: proof that the vendor's clock had got there. */
  readonly newest?: number;
  /** The stretch that the ledger's newest row covers, milliseconds. */
  readonly row?: LedgerRowRange;
  readonly walk?: WalkState;
  /** Of a source by cursor. */
  readonly cursor?: CursorState;
}

/** A place in a vendor's log that is kept from poll to poll. */
export interface CursorState {
  /** Where the log goes on for us; null while reading has to begin. */
  readonly place: PageState | null;
  /** Where reading began, milliseconds. */
  readonly from: number;
  /** False until the end of the log is reached after reading began. */
  readonly isCaughtUp: boolean;
  /** Records behind the place that are committed already: the vendor named no place behind them yet. */
  readonly taken?: number;
  /** Marks of the places passed, the last one last; kept where rows are named by their content. */
  readonly passed?: readonly string[];
  /** When reading last had to begin again, and from where, milliseconds. */
  readonly begunAgain?: { readonly at: number; readonly from: number };
}

/** A stretch of complete windows that share one row of the ledger. */
export interface LedgerRowRange {
  readonly from: number;
  readonly to: number;
}

/** Checkpoint of a range outside the live loop: a job's or the sweep's. */
export interface RangeCheckpoint {
  /** The whole range, milliseconds, both inclusive. */
  readonly from: number;
  readonly to: number;
  /** Windows up to here are complete. */
  readonly until: number;
  /** When the range was begun, milliseconds. */
  readonly began: number;
  readonly done: boolean;
  readonly walk?: WalkState;
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function isPageState(value: unknown): value is PageState {
  if (!isObject(value)) return false;
  if (value['kind'] === 'offset') return isTime(value['offset']);
  if (value['kind'] === 'token') return typeof value['token'] === 'string';
  return value['kind'] === 'link' && typeof value['path'] === 'string';
}

// A walk that does not parse costs nothing: its window is walked again from the first page.
function parseWalk(value: unknown): { walk?: WalkState } {
  if (!isObject(value)) return {};
  const { from, to, readFrom, state, pages, began } = value;
  if (
    !isTime(began) ||
    !isTime(from) ||
    !isTime(to) ||
    !isTime(readFrom) ||
    !isTime(pages) ||
    (state !== null && !isPageState(state))
  )
    return {};
  const optional = ['read', 'lastTime', 'lastTotal', 'serverTime'].flatMap((name) =>
    isTime(value[name]) ? [[name, value[name]]] : [],
  );
  return { walk: { from, to, readFrom, state, pages, began, ...(Object.fromEntries(optional) as Partial<WalkState>) } };
}

function parseCursor(value: unknown): Pick<LiveCheckpoint, 'cursor'> {
  if (!isObject(value) || !isTime(value['from'])) return {};
  const { place, from, taken, passed, begunAgain, isCaughtUp } = value;
  if (place !== null && !isPageState(place)) return {};
  const again = isObject(begunAgain) && isTime(begunAgain['at']) && isTime(begunAgain['from']) ? begunAgain : undefined;
  return {
    cursor: {
      place,
      from,
      isCaughtUp: isCaughtUp === true,
      ...(isTime(taken) ? { taken } : {}),
      ...(Array.isArray(passed) ? { passed: passed.map(String) } : {}),
      ...(again === undefined ? {} : { begunAgain: again as { at: number; from: number } }),
    },
  };
}

function parseRow(value: unknown): Pick<LiveCheckpoint, 'row'> {
  if (!isObject(value) || !isTime(value['from']) || !isTime(value['to'])) return {};
  return { row: { from: value['from'], to: value['to'] } };
}

function isIdentity(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}

/** Reads a live checkpoint; throws PEN_IDENTITY_CHANGED (hold) when it is not one or belongs to another tenant, API or connector. */
function parseLive(value: Json, settings: SourceSettings): LiveCheckpoint {
  const fix = `give it a new name, or run: penstock sources reset ${settings.name} --from TIME`;
  const where = `source ${settings.name}`;
  if (!isObject(value)) throw new PenstockError('PEN_IDENTITY_CHANGED', 'the stored checkpoint cannot be read', { where, fix });
  const { connector, identity, start, until } = value;
  if (typeof connector !== 'string' || !isIdentity(identity) || !isTime(start) || !isTime(until)) {
    throw new PenstockError('PEN_IDENTITY_CHANGED', 'the stored checkpoint cannot be read', { where, fix });
  }
  if (connector !== settings.connector.name || canonicalJson(identity) !== canonicalJson(settings.identity)) {
    const was = `${connector} ${JSON.stringify(identity)}`;
    const is = `${settings.connector.name} ${JSON.stringify(settings.identity)}`;
    throw new PenstockError('PEN_IDENTITY_CHANGED', `the name stood for ${was} and now stands for ${is}`, { where, fix });
  }
  const from = isTime(value['from']) ? { from: value['from'] } : {};
  const newest = isTime(value['newest']) ? { newest: value['newest'] } : {};
  const parts = { ...parseRow(value['row']), ...parseWalk(value['walk']), ...parseCursor(value['cursor']) };
  return { connector, identity, start, until, ...from, ...newest, ...parts };
}

/** Reads a range's checkpoint; undefined when there is none. */
export function parseRange(value: Json): RangeCheckpoint | undefined {
  if (!isObject(value)) return undefined;
  const { from, to, until, began, done } = value;
  if (!isTime(from) || !isTime(to) || !isTime(until) || !isTime(began)) return undefined;
  return { from, to, until, began, done: done === true, ...parseWalk(value['walk']) };
}

/**
 * The live checkpoint that makes a source collect from a time on (milliseconds), under its present identity: for its first start and for
 * `sources reset`. A directory reads all of its files again.
 */
export function checkpointAt(settings: SourceSettings, from: number): LiveCheckpoint {
  return { connector: settings.connector.name, identity: settings.identity, start: from, until: from };
}

/** Where a source without checkpoint begins, milliseconds. */
export function firstStart(settings: SourceSettings, now: number): number {
  if (settings.start === 'now') return now;
  if ('at' in settings.start) return settings.start.at;
  return now - settings.start.backMs;
}

/**
 * Reads the live checkpoint; for a source without one, fixes durably where it begins (milliseconds): at `start`, or where `goOn` says that
 * collection under another name ended before that. Rejects with PEN_IDENTITY_CHANGED.
 */
export async function openLiveCheckpoint(
  context: SourceContext,
  start: number,
  goOn?: (former: LiveCheckpoint) => LiveCheckpoint,
): Promise<LiveCheckpoint> {
  const { settings, journal, log } = context;
  const stored = await journal.checkpoint(settings.name, 'live');
  if (stored !== undefined && stored !== null) return parseLive(stored, settings);
  const former = goOn === undefined ? undefined : await formerBefore(context, start);
  if (goOn !== undefined && former !== undefined) return await takeUp(context, former, goOn(former.live));
  const fresh = checkpointAt(settings, start);
  await journal.append({ source: settings.name, checkpoint: { name: 'live', value: fresh } });
  log.info({ from: iso(fresh.start) }, 'first run, collection starts here');
  return fresh;
}

interface Former {
  readonly name: string;
  readonly live: LiveCheckpoint;
}

/** Where collection ended under a name that is not configured any more, the last of them; undefined where `start` leaves no gap behind it. */
async function formerBefore({ settings, journal }: SourceContext, start: number): Promise<Former | undefined> {
  let last: Former | undefined;
  for (const name of await journal.formerNames(settings.name)) {
    const stored = await journal.checkpoint(name, 'live');
    if (!isObject(stored) || !isTime(stored['start']) || !isTime(stored['until'])) continue;
    const live = parseLive(stored, settings);
    if (last === undefined || live.until > last.live.until) last = { name, live };
  }
  return last === undefined || last.live.until >= start ? undefined : last;
}

/** A source that was renamed in the configuration alone: what the vendor wrote since the old name was last asked for is asked for under the new one. */
async function takeUp(
  { settings, journal, log }: SourceContext,
  { name }: Former,
  fresh: LiveCheckpoint,
): Promise<LiveCheckpoint> {
  await journal.append({ source: settings.name, checkpoint: { name: 'live', value: fresh } });
  const from = iso(fresh.start);
  log.warn(
    { was: name, from },
    'the source goes on where collection ended under its former name, which is not configured any more',
  );
  return fresh;
}
