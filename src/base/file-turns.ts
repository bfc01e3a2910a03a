// A call on a file keeps one of the threads that the whole process shares for as long as the disk takes: for ever, on a share whose server is
// away. So a place has one call at a time, also when it is opened anew meanwhile, and all places together leave some threads: the rest of the
// process, which compresses and asks for names in these threads, goes on.

import { unlessCutOff } from './abort.ts';
import { type Clock, deadline } from './clock.ts';

/** libuv makes so many where nobody says a number. */
const usualThreads = 4;
const moreThreads = 16;
/** For all else. */
const freeThreads = 4;
const fewestAtOnce = 2;

/** Asks for more threads than usual, unless the operator said how many. Called once, before anything needs one; those that idle cost nothing. */
export function widenThreadPool(): void {
  process.env['UV_THREADPOOL_SIZE'] ??= String(moreThreads);
}

/** How many places may have a call under way. */
function mostAtOnce(): number {
  const threads = Number.parseInt(process.env['UV_THREADPOOL_SIZE'] ?? '', 10);
  return Math.max(fewestAtOnce, (threads > 0 ? threads : usualThreads) - freeThreads);
}

const busy = new Set<string>();
const waiting: { readonly place: string; readonly begin: () => void }[] = [];

/** True while a call on the place is under way. */
export const isBusy = (place: string): boolean => busy.has(place);

/** Resolves when it is the place's turn, which ends when the result is disposed of; rejects with the signal's reason where that comes first. */
export async function takeFileTurn(place: string, signal?: AbortSignal): Promise<Disposable> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
  const end = (): void => {
    busy.delete(place);
    beginNext();
  };
  const mine = { place, begin: () => resolve({ [Symbol.dispose]: end }) };
  const leave = (): void => {
    const at = waiting.indexOf(mine);
    if (at !== -1) waiting.splice(at, 1);
    reject(signal?.reason as Error);
  };
  waiting.push(mine);
  signal?.addEventListener('abort', leave, { once: true });
  beginNext();
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

function beginNext(): void {
  for (let at = 0; at < waiting.length && busy.size < mostAtOnce(); ) {
    const next = waiting[at];
    if (next === undefined || busy.has(next.place)) {
      at += 1;
      continue;
    }
    waiting.splice(at, 1);
    busy.add(next.place);
    next.begin();
  }
}

/** What a call on a place gives; undefined without an answer in time, whereupon the call goes on. However often it is made, the place keeps one thread. */
export async function answerInTime<T>(
  place: string,
  call: () => Promise<T>,
  clock: Clock,
  longestMs: number,
): Promise<T | undefined> {
  using limit = deadline(clock, longestMs);
  const turn = await takeFileTurn(place, limit.signal).catch(() => undefined);
  if (turn === undefined) return undefined;
  return await unlessCutOff(
    call().finally(() => turn[Symbol.dispose]()),
    limit.signal,
  );
}
