// The end of the process. An exit joins the threads that calls on files and look-ups of names are made in: one that its disk keeps, on a share whose
// server is away, would keep the process for ever.
import { type Clock, sleep } from '../base/clock.ts';

/** What takes a thread and obeys no signal. */
const inThreads = new Set(['FSReqPromise', 'FSReqCallback', 'GetAddrInfoReqWrap', 'GetNameInfoReqWrap']);
const longestMs = 1000;
const lookMs = 50;

/** True where a call has not ended a second after everything else had. */
export async function isKept(clock: Clock): Promise<boolean> {
  const until = clock.monotonic() + longestMs;
  while (holdsThread()) {
    if (clock.monotonic() >= until) return true;
    await sleep(clock, lookMs);
  }
  return false;
}

const holdsThread = (): boolean => process.getActiveResourcesInfo().some((name) => inThreads.has(name));

/** Ends with this code, whatever the threads are at: another program in place of this one takes none of them along. */
export async function endProcess(code: number, clock: Clock): Promise<never> {
  if (process.platform !== 'win32' && (await isKept(clock)))
    process.execve?.(process.execPath, [process.execPath, '-e', `process.exit(${code})`], {});
  process.exit(code);
}
