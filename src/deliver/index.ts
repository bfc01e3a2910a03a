import type { SinkSettings } from '../sinks/sink-settings.ts';
import type { DeliverDeps } from './deps.ts';
import { SinkLoop } from './loop.ts';

export { bytesOf, largestEvent } from './report/largest-event.ts';
export { openView, type View } from './view.ts';

/**
 * The loop that delivers from the journal to one sink: reads lanes, makes events and batches of their records, sends and settles them,
 * once it is started. `deps.log` is expected to name the sink.
 */
export function startDelivery(settings: SinkSettings, deps: DeliverDeps): SinkLoop {
  return new SinkLoop(settings, deps);
}
