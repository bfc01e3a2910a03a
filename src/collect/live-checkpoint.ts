import { checkpointAt, type LiveCheckpoint, parseLive } from './checkpoint.ts';
import type { SourceContext } from './context.ts';

/** Reads the live checkpoint; for a source without one, fixes durably where it begins (milliseconds). Rejects with PEN_IDENTITY_CHANGED. */
export async function openLiveCheckpoint({ settings, deps, log }: SourceContext, start: number): Promise<LiveCheckpoint> {
  const stored = await deps.journal.checkpoint(settings.name, 'live');
  if (stored !== undefined && stored !== null) return parseLive(stored, settings);
  const fresh = checkpointAt(settings, start);
  await deps.journal.append({ source: settings.name, checkpoint: { name: 'live', value: fresh } });
  log.info({ from: new Date(fresh.start).toISOString() }, 'first run, collection starts here');
  return fresh;
}
