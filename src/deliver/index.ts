import { encodeBody } from '../event/index.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import { createSinkLoop } from './loop.ts';
import type { DeliverDeps, SinkLoop } from './settings.ts';

/**
 * Delivers from the journal to one sink: the loop reads lanes, maps, batches, sends and settles once it is started. Nothing it does
 * throws; what goes wrong shows in its status and in the log. `deps.log` is expected to name the sink.
 */
export function startDelivery(settings: SinkSettings, deps: DeliverDeps): SinkLoop {
  return createSinkLoop(settings, deps, encodeBody);
}
