import { isObject, type Json } from '../../base/json.ts';

/**
 * The source that a job collects, or the sink that it is for. Lanes of a replay are opened by one process, and delivered by whoever owns their
 * source.
 */
export function targetOf(args: Json): { readonly kind: 'source' | 'sink'; readonly name: string } | undefined {
  const { source, sink, kind, name } = isObject(args) ? args : {};
  if ((kind === 'source' || kind === 'sink') && typeof name === 'string') return { kind, name };
  if (typeof sink === 'string') return { kind: 'sink', name: sink };
  return typeof source === 'string' ? { kind: 'source', name: source } : undefined;
}
