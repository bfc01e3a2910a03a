import type { StatusReport } from '../../../src/operate/report/status.ts';

type SinkReport = StatusReport['sinks'][number];

/** A sink of which there is nothing to tell. */
export const quietSink: SinkReport = {
  name: 'soc',
  type: 'syslog',
  state: 'idle',
  lag_seconds: 0,
  pending: 0,
  in_flight: 0,
  dead_letters: 0,
  acknowledged: 0,
  unconfirmed: 0,
  map_failed: 0,
  unknown_actions: {},
  endpoints: [],
  warnings: [],
};
