// Reads a recorded case with the connector's own reader, as the daemon would.

import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { readUtf8 } from '../../base/file-text.ts';
import { parseJson } from '../../base/json.ts';
import { silentLog } from '../../base/log.ts';
import { counted } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import { CursorSteps, pages, SourceMemory } from '../../collect/index.ts';
import type {
  Connector,
  CursorReader,
  PageState,
  RawRecord,
  Reader,
  RecordFacts,
  WindowReader,
} from '../../connectors/connector.ts';
import { openRecordedClient, type RecordedClient, readReplies, type TestCase } from './test-case.ts';

/** A record with the place it came from: `page-1.json record 3`. */
export interface Collected {
  readonly at: string;
  readonly facts: RecordFacts;
}

/** Everything that a case gave. */
export interface CaseRecords {
  readonly records: readonly Collected[];
  /** The requests for pages, in order; empty where nothing is asked. */
  readonly asked: readonly string[];
  /** `2 pages`, `1 file`. */
  readonly from: string;
}

const never = new AbortController().signal;

/** Reads a case to its end; throws the PenstockError that a source would fail with. */
export async function collectCase(connector: Connector, test: TestCase, seams: Seams): Promise<CaseRecords> {
  if (connector.kind === 'http_window' || connector.kind === 'http_cursor') return collectPages(connector, test, seams);
  return connector.kind === 'csv_directory' ? collectFiles(connector, test, seams) : collectMessages(connector, test, seams);
}

function openReader(
  connector: Connector,
  { options, window }: TestCase,
  http: RecordedClient,
  { files, random, clock }: Seams,
): Reader {
  const still = stillClock(window?.to ?? 0);
  // What reads files waits for a disk, and not for a vendor.
  const patient: Clock = { ...still, timer: (ms, callback) => clock.timer(ms, callback) };
  return connector.open(options, {
    http,
    seams: { files, random, clock: connector.kind === 'csv_directory' ? patient : still },
    log: silentLog(),
    userAgent: 'penstock-connector-test',
    limit: () => Promise.resolve(),
    budget: () => undefined,
  });
}

function examine(connector: Connector, test: TestCase, raws: readonly RawRecord[], where: string): Collected[] {
  const tenant = connector.tenant(test.options);
  return placed(
    raws.map((raw) => connector.records.examine(raw, tenant)),
    where,
  );
}

function placed(facts: readonly RecordFacts[], where: string): Collected[] {
  return facts.map((item, index) => ({ at: `${where} record ${index + 1}`, facts: item }));
}

async function collectPages(connector: Connector, test: TestCase, seams: Seams): Promise<CaseRecords> {
  const replies = await readReplies(test.folder, seams.files);
  if (replies.length === 0)
    throw new PenstockError('PEN_OPERATION_FAILED', 'the case has no recorded page', {
      fix: 'save the first answer as page-1.json, and its headers (curl -D) as page-1.headers where paging needs them',
    });
  const http = openRecordedClient(replies);
  await using reader = openReader(connector, test, http, seams);
  const records = await readAll(connector, test, reader, http, seams);
  const unread = replies[http.asked.length];
  if (unread !== undefined)
    throw new PenstockError('PEN_OPERATION_FAILED', `the walk ends before ${unread.file} is read`, {
      fix: 'correct read.page, or delete the pages that do not belong to this walk',
    });
  return { records, asked: http.asked, from: counted(replies.length, 'page') };
}

/** Knows how many pages were asked for. */
type Asked = Pick<RecordedClient, 'asked'>;

/** Reads what a case asks for to its end with a reader of pages, be it of a recording or of a vendor. */
export function readAll(connector: Connector, test: TestCase, reader: Reader, http: Asked, seams: Seams): Promise<Collected[]> {
  if (reader.kind === 'http_window') return walk(connector, test, reader, http, seams);
  if (reader.kind === 'http_cursor') return follow(connector, test, reader, http);
  throw new PenstockError('PEN_INTERNAL', `a reader of kind ${reader.kind}`);
}

/** One poll of a source that begins at the case's `from`. */
async function follow(connector: Connector, test: TestCase, reader: CursorReader, http: Asked): Promise<Collected[]> {
  const steps = new CursorSteps(reader);
  const records: Collected[] = [];
  for (let [place, isCaughtUp]: [PageState | null, boolean] = [null, false]; !isCaughtUp; ) {
    const page = await reader.page({ state: place, from: test.window?.from }, never);
    records.push(...examine(connector, test, [...page.records], `page-${http.asked.length}.json`));
    const step = steps.after(place, page);
    if (step.fault !== undefined) throw step.fault;
    ({ place, isCaughtUp } = step);
  }
  return records;
}

async function walk(connector: Connector, test: TestCase, reader: WindowReader, http: Asked, seams: Seams): Promise<Collected[]> {
  const { from, to } = test.window ?? { from: 0, to: 0 };
  const context = {
    settings: { connector, tenant: connector.tenant(test.options) },
    seams: { ...seams, clock: stillClock(to) },
    log: silentLog(),
    memory: new SourceMemory(),
  };
  const records: Collected[] = [];
  let total = 0;
  const met = new Set<string>();
  for await (const { facts, guard } of pages(context, reader, { window: { from, to }, state: null, pages: 0 }, never)) {
    records.push(...placed(facts, `page-${http.asked.length}.json`));
    for (const { uid, fingerprint, isFurtherPart } of facts) if (isFurtherPart !== true) met.add(`${uid} ${fingerprint}`);
    total = guard.mostTotal;
  }
  if (total <= met.size) return records;
  throw new PenstockError('PEN_WALK_INCOMPLETE', `the pages name a total of ${total}, but hold ${met.size} different records`, {
    fix: 'record every page of the window, or correct read.page.total',
  });
}

async function collectFiles(connector: Connector, test: TestCase, seams: Seams): Promise<CaseRecords> {
  await using reader = openReader(connector, test, openRecordedClient([]), seams);
  if (reader.kind !== 'csv_directory') throw new PenstockError('PEN_INTERNAL', `a reader of kind ${reader.kind}`);
  const { files } = await reader.list(never);
  if (files.length === 0)
    throw new PenstockError('PEN_OPERATION_FAILED', 'the case has no file to read', {
      fix: 'put a CSV file into the folder of the case, and let the directory option be "."',
    });
  const records: Collected[] = [];
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const rows: RawRecord[] = [];
    for await (const chunk of reader.read(file, never)) rows.push(...chunk);
    records.push(...examine(connector, test, rows, file.path));
  }
  return { records, asked: [], from: counted(files.length, 'file') };
}

/** `messages.ndjson`: one payload a line, an object or a list of them. */
async function collectMessages(connector: Connector, test: TestCase, { files }: Seams): Promise<CaseRecords> {
  const text = await readUtf8(files, join(test.folder, 'messages.ndjson'));
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const records = lines.flatMap((line, index) => {
    const payload = parseJson(line);
    const items: readonly unknown[] = Array.isArray(payload) ? payload : [payload];
    const raws = items
      .map((value, at) => ({ value, id: `message-${index + 1}${at === 0 ? '' : `#${at + 1}`}` }))
      .flatMap((raw) => connector.records.split(raw));
    return examine(connector, test, raws, `message ${index + 1}`);
  });
  return { records, asked: [], from: counted(lines.length, 'message') };
}

/** A clock that stands still on the wall and lets no timer wait: what a vendor asks to wait for is not waited for in a test. */
function stillClock(now: number): Clock {
  let passed = 0;
  return {
    now: () => now,
    monotonic: () => passed,
    timer(ms, callback) {
      const handle = setImmediate(() => {
        passed += ms;
        callback();
      });
      return { [Symbol.dispose]: () => clearImmediate(handle) };
    },
  };
}
