import { join } from 'node:path';
import { explain, PenstockError } from '../../base/errors.ts';
import { parseJson } from '../../base/json.ts';
import { counted, iso } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import { isSameRecord } from '../../collect/index.ts';
import type { Connector } from '../../connectors/connector.ts';
import { type CaseRecords, type Collected, collectCase } from './collect-case.ts';
import { differences, eventFaults } from './faults.ts';
import { readCase, type TestCase } from './test-case.ts';

/** What came of one part of a connector's test. */
export interface CaseReport {
  readonly name: string;
  /** `2 pages, 3 records`. */
  readonly summary: string;
  /** What is wrong, one text each; empty when all is well. */
  readonly faults: readonly string[];
  /** Files that were written, with `update`. */
  readonly written: readonly string[];
}

const eventsFile = 'expected.ndjson';
const requestsFile = 'expected-requests.txt';
const most = 20;

/** Reads one recorded case and compares what comes out; never throws for what is wrong with the case. */
export async function runCase(
  connector: Connector,
  name: string,
  folder: string,
  seams: Seams,
  update: boolean,
): Promise<CaseReport> {
  try {
    const read = await readCase(connector, name, folder, seams.files);
    const test = read.window === undefined && update ? await withWindow(connector, read, seams) : read;
    const collected = await collectCase(connector, test, seams);
    const events = collected.records.map((record) => eventOf(connector, test, record));
    const texts = {
      [eventsFile]: lines(events.map(({ text }) => text)),
      ...(collected.asked.length === 0 ? {} : { [requestsFile]: lines(collected.asked) }),
    };
    const faults = [
      ...windowFaults(connector, test, collected.records),
      ...idFaults(collected.records),
      ...events.flatMap((event) => event.faults),
    ];
    const compared = update
      ? { faults: [], written: await writeAll(test, texts, seams) }
      : { faults: await compareAll(test, texts, collected, seams), written: [] };
    return {
      name,
      summary: summaryOf(
        collected,
        events.flatMap(({ unknown }) => unknown ?? []),
      ),
      faults: cut([...faults, ...compared.faults]),
      written: compared.written,
    };
  } catch (error) {
    if (!(error instanceof PenstockError) && !(error instanceof SyntaxError) && !isMissingFile(error)) throw error;
    return { name, summary: 'not read', faults: [explain(error)], written: [] };
  }
}

function summaryOf({ from, records }: CaseRecords, unknown: readonly string[]): string {
  const names = [...new Set(unknown)].join(', ');
  const copies = records.length - new Set(records.map(({ facts }) => facts.uid + facts.fingerprint)).size;
  return `${from}, ${counted(records.length, 'record')}${copies === 0 ? '' : `, ${copies} of them copies of others`}${names === '' ? '' : `; without a row, so Base Event: ${names}`}`;
}

const isMissingFile = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && ['ENOENT', 'EACCES', 'EISDIR'].includes(String(error.code));

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

function cut(faults: readonly string[]): readonly string[] {
  return faults.length <= most ? faults : [...faults.slice(0, most), `and ${faults.length - most} more`];
}

function eventOf(
  connector: Connector,
  test: TestCase,
  { at, facts }: Collected,
): { readonly text: string; readonly faults: string[]; readonly unknown: string | undefined } {
  const now = test.window?.to ?? 0;
  const { uid, record, unreadable } = facts;
  const envelope = { uid, received: now, record, unreadable };
  const context = { source: 'test', tenant: connector.tenant(test.options), labels: [], processedTime: now };
  const mapped = connector.mapper.map(envelope, context);
  return {
    text: JSON.stringify(mapped.event),
    faults: eventFaults(mapped).map((what) => `${at}: ${what}`),
    unknown: mapped.action === undefined ? mapped.actionKey : undefined,
  };
}

/** The window of a case that names none yet: that of its records, to the second. */
async function withWindow(connector: Connector, test: TestCase, seams: Seams): Promise<TestCase> {
  const { records } = await collectCase(connector, test, seams);
  const times = records.flatMap(({ facts }) => facts.time ?? []);
  const from = Math.floor(times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY) / 1000) * 1000;
  const to = Math.ceil(times.reduce((a, b) => Math.max(a, b), 0) / 1000) * 1000;
  if (times.length === 0) return test;
  const bounds = `from: ${iso(from)}\nto: ${iso(to)}\n`;
  const file = join(test.folder, 'case.yaml');
  const isThere = (await seams.files.readdir(test.folder)).includes('case.yaml');
  const before = isThere ? await seams.files.readFile(file, 'utf8') : '';
  await seams.files.writeFile(file, `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${bounds}`);
  return { ...test, window: { from, to } };
}

function windowFaults(connector: Connector, { window }: TestCase, records: readonly Collected[]): string[] {
  if (connector.kind !== 'http_window') return [];
  if (window === undefined)
    return ['case.yaml does not say which window was asked for: add from: and to:, or let --update do it'];
  const { precisionMs, strayMs = 0 } = connector.defaults;
  const from = Math.floor(window.from / precisionMs) * precisionMs - strayMs;
  const to = Math.floor(window.to / precisionMs) * precisionMs + precisionMs + strayMs;
  return records.flatMap(({ at, facts }) => {
    if (facts.time === undefined)
      return strayMs === Number.POSITIVE_INFINITY ? [] : [`${at}: has no time at record.time that can be read`];
    if (facts.time >= from && facts.time <= to) return [];
    return [
      `${at}: its time ${iso(facts.time)} lies outside of the window that was asked for, ${iso(window.from)} to ${iso(window.to)}`,
    ];
  });
}

function idFaults(records: readonly Collected[]): string[] {
  const known = new Map<string, Collected>();
  return records.flatMap((record) => {
    const same = known.get(record.facts.uid);
    known.set(record.facts.uid, same ?? record);
    if (same === undefined || isSameRecord(same.facts, record.facts)) return [];
    const other = same.facts.fingerprint === record.facts.fingerprint ? 'another time' : 'other content';
    return [`${record.at}: has the id of ${same.at} but ${other}; check record.id, and record.volatile`];
  });
}

async function writeAll(test: TestCase, texts: Readonly<Record<string, string>>, { files }: Seams): Promise<string[]> {
  const present = await files.readdir(test.folder);
  const written: string[] = [];
  for (const [name, text] of Object.entries(texts)) {
    const path = join(test.folder, name);
    if (present.includes(name) && (await files.readFile(path, 'utf8')) === text) continue;
    await files.writeFile(path, text);
    written.push(path);
  }
  return written;
}

async function compareAll(
  test: TestCase,
  texts: Readonly<Record<string, string>>,
  { records }: CaseRecords,
  { files }: Seams,
): Promise<string[]> {
  const present = await files.readdir(test.folder);
  const faults: string[] = [];
  for (const [name, text] of Object.entries(texts)) {
    if (!present.includes(name)) {
      faults.push(`${name} is missing: write it with --update, and read whether it says what you expect`);
      continue;
    }
    const expected = (await files.readFile(join(test.folder, name), 'utf8')).split('\n').filter((line) => line !== '');
    const got = text.split('\n').filter((line) => line !== '');
    faults.push(
      ...(name === eventsFile
        ? compareEvents(
            expected,
            got,
            records.map(({ at }) => at),
          )
        : compareLines(name, expected, got)),
    );
  }
  return faults;
}

function compareEvents(expected: readonly string[], got: readonly string[], places: readonly string[]): string[] {
  const count =
    expected.length === got.length
      ? []
      : [`${eventsFile} has ${counted(expected.length, 'event')}, the case gives ${got.length}`];
  const changed = got.flatMap((line, index) => {
    const wanted = expected[index];
    if (wanted === undefined || wanted === line) return [];
    return differences(parseJson(wanted), parseJson(line)).map((what) => `${places[index] ?? `event ${index + 1}`}: ${what}`);
  });
  return [...count, ...changed];
}

function compareLines(name: string, expected: readonly string[], got: readonly string[]): string[] {
  return Array.from({ length: Math.max(expected.length, got.length) }, (_, index) => index).flatMap((index) =>
    expected[index] === got[index]
      ? []
      : [`${name}:${index + 1}: expected ${expected[index] ?? 'nothing'}\n  got ${got[index] ?? 'nothing'}`],
  );
}
