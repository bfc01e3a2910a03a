import { file } from './file/index.ts';
import { http } from './http/index.ts';
import { kafka } from './kafka/index.ts';
import { s3 } from './s3/index.ts';
import type { SinkType } from './sink.ts';
import { splunkHec } from './splunk-hec/index.ts';
import { stdout } from './stdout/index.ts';
import { syslog } from './syslog/index.ts';

/** Every kind of sink by its `type:`. */
export const sinkTypes: Readonly<Record<string, SinkType>> = {
  file,
  http,
  kafka,
  s3,
  splunk_hec: splunkHec,
  stdout,
  syslog,
};
