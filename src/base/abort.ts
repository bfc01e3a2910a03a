// Work that cannot be called off goes on when nobody waits for it any more; what comes of it then is nobody's.

/** What the work gives; rejects with the signal's reason when that aborts first. */
export const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  until(work, signal, () => Promise.reject(signal.reason as Error));

/** What the work gives; undefined when the signal aborts first. */
export const unlessCutOff = <T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> =>
  until(work, signal, () => undefined);

async function until<T, U>(work: Promise<T>, signal: AbortSignal, instead: () => U | Promise<U>): Promise<T | U> {
  const { promise, resolve } = Promise.withResolvers<U>();
  const onAbort = (): void => resolve(instead());
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
