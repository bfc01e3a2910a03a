import { PenstockError } from '../base/errors.ts';
import type { Reader } from '../connectors/connector.ts';
import { type Collecting, collecting } from './collecting.ts';
import { type KindLoop, PollLoop } from './loop.ts';
import type { CollectDeps, SourceLoop, SourceSettings } from './source.ts';
import { windowPoll } from './window-loop.ts';

export { checkpointAt } from './checkpoint.ts';

function windowKind(c: Collecting): KindLoop {
  const poll = windowPoll(c);
  return {
    hasWindows: true,
    poll: (reader, session) => poll(expect(reader, 'http_window'), session),
    details: () => ({}),
    warnings: () => [],
  };
}

function expect<K extends Reader['kind']>(reader: Reader, kind: K): Extract<Reader, { kind: K }> {
  if (reader.kind !== kind) throw new PenstockError('PEN_INTERNAL', `a reader of kind ${reader.kind} came where ${kind} was due`);
  return reader as Extract<Reader, { kind: K }>;
}

/** Makes the loop of a source; it polls after `start()`. */
export function startSource(settings: SourceSettings, deps: CollectDeps): SourceLoop {
  const c = collecting(settings, deps);
  return new PollLoop(c, windowKind(c));
}
