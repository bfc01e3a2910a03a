// Follows the journal from outside: reads what was appended, as a sink would, and settles nothing.
import { asPenstockError, PenstockError } from '../../base/errors.ts';
import type { Seams } from '../../base/seams.ts';
import type { Config, SinkConfig } from '../../config/config.ts';
import { openView, type View } from '../../deliver/index.ts';
import type { Journal, Lane, Position } from '../../journal/journal.ts';
import { Mappers } from '../../runtime/mappers.ts';
import { configuredSink, configuredSource } from '../../runtime/runtime.ts';

export interface TailRequest {
  readonly format: View['format'];
  readonly source?: string;
  readonly sink?: string;
  readonly action?: string;
  /** Records that were received since then come first, milliseconds; now when absent. */
  readonly since?: number;
  /** False: end with what is stored. */
  readonly follow: boolean;
}

interface Followed {
  readonly lane: Lane;
  at: Position;
}

const chunkRecords = 500;
/** No lane is longer: 2^52 is the last position that a number keeps exact. */
const end = 2 ** 52;

/** Which sources are looked at: those that the sink takes, if there is one, and only the one that was asked for. */
function sourcesOf({ sources }: Config, { source }: TailRequest, sink: SinkConfig | undefined): string[] {
  const taken = sources.map(({ name }) => name).filter((name) => sink?.sources === undefined || sink.sources.includes(name));
  if (source === undefined) return taken;
  if (taken.includes(source)) return [source];
  throw new PenstockError('PEN_USAGE', `sink ${sink?.name ?? ''} takes nothing of source ${source}`, {
    fix: `it takes ${taken.join(', ') || 'no source'}`,
  });
}

/** Reading needs a sink's name that the journal knows; whose it is does not matter. */
async function readerName({ sinks }: Config, journal: Journal): Promise<string> {
  for (const { name } of sinks) {
    const isKnown = await journal.lanes(name).then(
      () => true,
      (error: unknown) => {
        if (asPenstockError(error).code === 'PEN_NOT_FOUND') return false;
        throw error;
      },
    );
    if (isKnown) return name;
  }
  throw new PenstockError('PEN_NOT_FOUND', 'the journal knows none of the sinks yet', {
    fix: 'start the daemon with this configuration: penstock run',
  });
}

/**
 * The position behind which reading begins, found by halving: behind the last record, or before the first that was received since then.
 * Positions only grow, and so do times of receipt but for steps of the clock.
 */
async function positionAt(since: number | undefined, read: (after: Position) => Promise<number | undefined>): Promise<Position> {
  const isBefore = async (after: number): Promise<boolean> => {
    const received = await read(after as Position);
    return received !== undefined && (since === undefined || received < since);
  };
  let [low, high] = [0, 1];
  while (high < end && (await isBefore(high - 1))) [low, high] = [high, high * 2];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low as Position;
}

/** Events as lines, a chunk at a time; ends when the signal aborts, or with what is stored. Throws PEN_NOT_FOUND for a name that is not configured. */
export async function* tail(
  config: Config,
  journal: Journal,
  request: TailRequest,
  { clock }: Pick<Seams, 'clock'>,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  const sink = request.sink === undefined ? undefined : configuredSink(config, request.sink);
  if (request.source !== undefined) configuredSource(config, request.source);
  const names = sourcesOf(config, request, sink);
  const reader = await readerName(config, journal);
  const view = openView({ ...request, sink });
  const mappers = new Mappers(journal);
  mappers.use(config.sources);
  const lanes = await Promise.all(
    names.flatMap((source) =>
      (['live', 'backfill'] as const).map(async (kind): Promise<Followed> => {
        const lane = { kind, source };
        const received = async (after: Position): Promise<number | undefined> =>
          (await journal.read(reader, lane, after, 1))[0]?.records[0]?.received;
        return { lane, at: await positionAt(request.since, received) };
      }),
    ),
  );
  while (!signal.aborted) {
    let isQuiet = true;
    for (const followed of lanes) {
      for (const page of await journal.read(reader, followed.lane, followed.at, chunkRecords)) {
        isQuiet = false;
        followed.at = page.positions.at(-1) ?? followed.at;
        const lines = view(page, await mappers.mapperFor(page.connector, page.source), clock.now());
        if (lines.length > 0) yield lines;
      }
    }
    if (isQuiet && !request.follow) return;
    if (isQuiet) await journal.changed(signal);
  }
}
