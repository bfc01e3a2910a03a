/** Undefined when the signal comes first; the work goes on. */
export async function unlessCutOff<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onAbort = (): void => resolve(undefined);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const first = await Promise.race([work, promise]);
  signal.removeEventListener('abort', onAbort);
  return first;
}
