import type { SinkType } from './sink.ts';
import { splunkHec } from './splunk-hec/index.ts';

/** Every kind of sink by its `type:`. */
export const sinkTypes: Readonly<Record<string, SinkType>> = {
  splunk_hec: splunkHec,
};
