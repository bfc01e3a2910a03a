import type { SinkType } from './sink.ts';

/** Every kind of sink by its `type:`. */
export const sinkTypes: Readonly<Record<string, SinkType>> = {};
