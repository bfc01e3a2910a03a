// What every engine does with a commit before and after it is stored.
import { PenstockError } from '../../base/errors.ts';
import { sortedOut } from '../counts.ts';
import type { AppendedPage, Commit, NewPage, RecordLog } from '../journal.ts';
import type { EncodedPage } from './pages.ts';
import { position } from './positions.ts';

/**
 * Starts the commits of a source together and finishes them one after the other. When one fails, those that were asked for before that
 * was known fail with it: their cursor would pass the records that are missing.
 */
export function inOrder(run: (commit: Commit, earlier: Promise<void> | undefined) => Promise<void>): RecordLog['append'] {
  const last = new Map<string, Promise<void>>();
  return (commit) => {
    const fault = faultOf(commit);
    if (fault !== undefined) return Promise.reject(fault);
    const { source } = commit;
    const done = run(commit, last.get(source));
    last.set(source, done);
    const forget = (): void => {
      if (last.get(source) === done) last.delete(source);
    };
    done.then(forget, forget);
    return done;
  };
}

function faultOf({ source, page, window }: Commit): PenstockError | undefined {
  const fault = (what: string): PenstockError =>
    new PenstockError('PEN_INTERNAL', `a commit ${what}`, { where: `source ${source}`, fix: 'report this with the log' });
  if (window === undefined) return undefined;
  if (window.fetched !== sortedOut(window)) {
    return fault(
      `counts ${window.fetched} fetched, but ${window.new} new, ${window.duplicate} duplicate and ${window.excluded} excluded`,
    );
  }
  const stored = page?.records.length ?? 0;
  return window.new === stored ? undefined : fault(`counts ${window.new} new, but its page holds ${stored}`);
}

/** Who hears of pages as soon as they are stored. */
export class AppendListeners {
  readonly #listeners = new Set<(page: AppendedPage) => void>();

  add(listener: (page: AppendedPage) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Tells of the page of a commit that was stored behind `before` records; undefined: it had been stored earlier. */
  tell({ source, page }: Commit, rows: readonly EncodedPage[], before: number | undefined): void {
    if (before === undefined || page === undefined || rows.length === 0 || this.#listeners.size === 0) return;
    const appended = appendedPage(source, page, rows, before);
    for (const listener of this.#listeners) listener(appended);
  }
}

/** A page that was just stored behind `before` records of its lane. */
function appendedPage(source: string, page: NewPage, rows: readonly EncodedPage[], before: number): AppendedPage {
  const { lane, connector, tenant, labels } = page;
  // Not those of the commit: what is kept of a page is its bytes.
  const records = rows.flatMap((row) => row.records);
  const positions = records.map((_record, index) => position(before + 1 + index));
  const stored = { source, connector: { name: connector.name, hash: connector.hash }, tenant, labels, records, positions };
  return {
    lane: { kind: lane, source },
    before: position(before),
    page: stored,
    textBytes: rows.reduce((sum, row) => sum + row.rawBytes, 0),
  };
}
