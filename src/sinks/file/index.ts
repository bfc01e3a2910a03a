import type { SinkType } from '../sink.ts';
import { FileSinkOptions } from './options.ts';
import { openFileSink } from './write.ts';

/** `type: file`: one line per event, on disk before it counts. */
export const file: SinkType = {
  name: 'file',
  options: FileSinkOptions,
  defaultFormat: 'ocsf',
  acknowledges: 'the line is on disk (fsync)',
  // The options were validated against the schema above when the configuration was read.
  open: async (options, context) => openFileSink(options as unknown as FileSinkOptions, context),
  urls: () => [],
};
