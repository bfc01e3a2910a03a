// Histories that once broke a promise, as short as they could be made; they are played by the tests and before every mutant.
import { hour, minute, type Scenario, uneventful } from './scenario.ts';

const nothing: Omit<Scenario, 'sources' | 'sinks' | 'events'> = {
  seed: 1,
  hours: 6,
  maxBytes: 16 * 1_048_576,
  ...uneventful,
};
const sink = { name: 'sink1', acknowledges: 'now', inFlight: 1, batchEvents: 1 } as const;

/** Each under the sentence that says what it is about. */
export const fixedHistories: Readonly<Record<string, Scenario>> = {
  // The second record is received a day before the first by the wall clock. Expired by that clock, the newer page went first, and what was left
  // of the lane looked damaged at the next start.
  'a page that was received after another, and looks older than it': {
    ...nothing,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 200, backMs: 0 }],
    sinks: [sink],
    events: [
      { source: 'stream', n: 0, at: 5 * minute, late: 0 },
      { source: 'stream', n: 1, at: 65 * minute, late: 0 },
    ],
    clock: [
      { at: hour, byMs: -24 * hour },
      { at: 2 * hour, byMs: 24 * hour },
    ],
    ends: [{ at: 3 * hour, kind: 'stop', nth: 1, when: 'after', share: 0.5, downMs: minute }],
  },
  // The hold of a systematic refusal ends: the letters go again, and so do the stored records that somebody asked for. A letter that the
  // replay delivered was missing in the retry, which waited for it for ever.
  'a retry of dead letters beside a replay of the same records': {
    ...nothing,
    seed: 2,
    sources: [{ name: 'files', kind: 'files', pageSize: 20, backMs: 0 }],
    sinks: [{ ...sink, inFlight: 2 }],
    events: [
      // Taken, so that a few refusals do not look like a wrong configuration.
      { source: 'files', n: 0, at: 10 * minute, late: 0 },
      ...Array.from({ length: 40 }, (_, n) => ({ source: 'files', n: n + 1, at: 3 * hour + n * 10_000, late: 0 })),
    ],
    faults: [
      { on: 'sink1', kind: 'refuse_all', from: 3.5 * hour, to: 5 * hour, share: 1 },
      { on: 'sink1', kind: 'slow', from: 5 * hour, to: 5.5 * hour, share: 0.5 },
    ],
    replays: [{ at: 4.5 * hour, sink: 'sink1', from: 2.5 * hour, to: 4 * hour }],
    jobs: [],
  },
  // Ids are kept by their age: a clock that is years ahead for some minutes, while no poll succeeds, must not make all of them old at once.
  'a wall clock that is two years ahead for a while': {
    ...nothing,
    sources: [{ name: 'offset', kind: 'offset', pageSize: 5, backMs: 0 }],
    sinks: [sink],
    events: [20, 40, 57, 58, 80, 100].map((at, n) => ({ source: 'offset', n, at: at * minute, late: 0 })),
    faults: [{ on: 'offset', kind: 'unavailable', from: 60.5 * minute, to: 70 * minute, share: 1 }],
    clock: [
      { at: 61 * minute, byMs: 730 * 24 * hour },
      { at: 68 * minute, byMs: -730 * 24 * hour },
    ],
  },
  // More than a tenth of what comes is refused for its content. The event with which the sink is probed is one of these; asked with it alone,
  // the hold never ended.
  'a hold that is probed with an event that is refused for its content': {
    ...nothing,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 200, backMs: 0 }],
    sinks: [sink],
    events: Array.from({ length: 34 }, (_, n) => ({
      source: 'stream',
      n,
      at: minute + n * 1_000,
      late: 0,
      ...(n > 0 && n < 30 ? { refusedBy: ['sink1'] } : {}),
    })),
  },
  // A request is under way when its process ends; the next process sends the event again and is told that it was taken before the first
  // request arrives. The oracle called that a repeat by somebody who knew.
  'a slow request that arrives after the one of the next process': {
    ...nothing,
    hours: 1,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 200, backMs: 0 }],
    sinks: [sink],
    events: [{ source: 'stream', n: 0, at: minute, late: 0 }],
    faults: [{ on: 'sink1', kind: 'slow', from: 55_000, to: 70_000, share: 1 }],
    ends: [{ at: 68_000, kind: 'step', nth: 1, when: 'after', share: 0.5, downMs: 1_000 }],
  },
  // An attempt takes so long that it is given up while its octets still travel; the next one is answered before they arrive. The oracle called that
  // a repeat by a process that knew.
  'octets that arrive after those of the next attempt': {
    ...nothing,
    seed: 56,
    hours: 0.1,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 200, backMs: 0 }],
    sinks: [{ ...sink, wire: 'relp' }],
    events: [{ source: 'stream', n: 0, at: minute, late: 0 }],
    faults: [{ on: 'sink1', kind: 'slow', from: 55_000, to: 90_000, share: 1 }],
  },
  // A second look that was planned by the wrong clock reached into the year after next, and was gone on with before any other.
  'a second look that was planned while the clock was two years ahead': {
    ...nothing,
    hours: 72,
    leaps: true,
    sources: [{ name: 'offset', kind: 'offset', pageSize: 3, sweepEveryMs: 24 * hour, backMs: 6 * hour, everyMs: 15 * minute }],
    sinks: [sink],
    events: [{ source: 'offset', n: 0, at: 48.4 * hour, late: 84 * minute }],
    clock: [{ at: 48.2 * hour, byMs: 730 * 24 * hour }],
  },
  // Half of what travels takes so long that the time of an attempt runs out now and then. An event with which that happened three times, while one
  // other was taken, was called the cause for good.
  'an event that a slow receiver left unanswered three times': {
    ...nothing,
    seed: 50_000_138,
    hours: 720,
    leaps: true,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 200, backMs: 0 }],
    sinks: [{ ...sink, batchEvents: 3, wire: 'relp' }],
    events: [1_920_879_930, 1_921_922_666, 1_922_387_084, 1_923_563_252, 1_923_564_509].map((shown, n) => ({
      source: 'stream',
      n: n < 2 ? 302 + n : 305 + n,
      at: n === 4 ? 1_923_561_256 : shown,
      late: n === 4 ? 3_253 : 0,
    })),
    faults: [{ on: 'sink1', kind: 'slow', from: 1_919_101_734, to: 1_924_161_265, share: 0.5 }],
  },
  // A receiver that answers `open` and then ends each session, for six minutes. An event that failed three times, while one other was taken, was
  // called the cause for good.
  'a receiver that ends each session before a message': {
    ...nothing,
    seed: 50_000_136,
    leaps: true,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 5, backMs: 24 * hour, everyMs: 5 * minute }],
    sinks: [{ ...sink, inFlight: 2, batchEvents: 10, wire: 'relp' }],
    events: [
      { source: 'stream', n: 274, at: 10_282_751, late: 2672 },
      { source: 'stream', n: 275, at: 10_282_751, late: 3635 },
      { source: 'stream', n: 276, at: 10_653_295, late: 4596 },
      { source: 'stream', n: 277, at: 10_889_050, late: 4957 },
      { source: 'stream', n: 278, at: 11_008_464, late: 426 },
      { source: 'stream', n: 279, at: 11_220_524, late: 4444 },
      { source: 'stream', n: 280, at: 11_432_587, late: 4989 },
      { source: 'stream', n: 281, at: 11_432_587, late: 2411 },
      { source: 'stream', n: 282, at: 11_432_587, late: 980 },
      { source: 'stream', n: 283, at: 11_989_321, late: 2972 },
      { source: 'stream', n: 284, at: 11_989_321, late: 3839 },
      { source: 'stream', n: 285, at: 12_363_103, late: 2050 },
      { source: 'stream', n: 286, at: 12_363_103, late: 2852 },
      { source: 'stream', n: 287, at: 12_842_765, late: 2590 },
      { source: 'stream', n: 288, at: 12_942_179, late: 3517 },
      { source: 'stream', n: 289, at: 12_942_179, late: 1080 },
      { source: 'stream', n: 290, at: 13_331_334, late: 78 },
      { source: 'stream', n: 291, at: 13_331_334, late: 926 },
      { source: 'stream', n: 292, at: 13_331_334, late: 4403 },
    ],
    faults: [{ on: 'sink1', kind: 'partial', from: 11_989_151, to: 12_345_276, share: 1 }],
  },
  // Nobody listens at the address for a while, and the machine there says so only once a datagram has left. What went out meanwhile is in doubt,
  // and goes again.
  'a receiver of datagrams that is away for a while': {
    ...nothing,
    hours: 1,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 5, backMs: 0 }],
    sinks: [{ ...sink, batchEvents: 10, acknowledges: 'never', wire: 'syslog_udp' }],
    events: Array.from({ length: 30 }, (_, n) => ({ source: 'stream', n, at: minute + n * 10_000, late: 0 })),
    faults: [
      { on: 'sink1', kind: 'down', from: 2 * minute, to: 3 * minute, share: 1 },
      { on: 'sink1', kind: 'down', from: 4 * minute, to: 5 * minute, share: 0.5 },
    ],
    ends: [{ at: 4.2 * minute, kind: 'step', nth: 2, when: 'after', share: 0.5, downMs: 5_000 }],
  },
  // A receiver that half of all connections do not reach, for hours, and that takes enough in one of them to look well. What had been given up
  // went again then, and failed once more: it was called the cause for good.
  'a receiver that is away half of the time, for hours': {
    ...nothing,
    seed: 60_100_165,
    hours: 4,
    leaps: true,
    maxBytes: 2_097_152,
    sources: [{ name: 'token', kind: 'token', pageSize: 3, backMs: 0, everyMs: 900_000 }],
    sinks: [
      { name: 'sink2', acknowledges: 'later', inFlight: 1, batchEvents: 10 },
      { name: 'sink3', acknowledges: 'now', inFlight: 1, batchEvents: 500, wire: 'relp' },
    ],
    events: [
      { source: 'token', n: 6, at: 681_092, late: 3498 },
      { source: 'token', n: 7, at: 681_092, late: 120_319 },
      { source: 'token', n: 8, at: 681_092, late: 167_896 },
      { source: 'token', n: 30, at: 3_389_509, late: 2041 },
      { source: 'token', n: 49, at: 5_844_132, late: 4975 },
      { source: 'token', n: 55, at: 6_670_395, late: 3730 },
      { source: 'token', n: 56, at: 6_817_444, late: 218_460 },
      { source: 'token', n: 57, at: 6_817_444, late: 228_413 },
      { source: 'token', n: 58, at: 7_024_549, late: 202_776 },
      { source: 'token', n: 59, at: 7_196_011, late: 28521 },
      { source: 'token', n: 60, at: 7_245_613, late: 282_560 },
      { source: 'token', n: 61, at: 7_245_613, late: 4074 },
      { source: 'token', n: 67, at: 7_930_980, late: 106_133 },
    ],
    faults: [{ on: 'sink3', kind: 'down', share: 0.5, from: 518_600, to: 10_590_835 }],
    ends: [{ at: 8_238_424, kind: 'commit', nth: 11, when: 'before', share: 0.42453539720736444, downMs: 20_000 }],
    lostAnswers: [{ at: 7_632_565, ms: 600_000, share: 0.2 }],
    jobs: [{ at: 4_501_340, kind: 'retry_dead_letters', sink: 'sink3' }],
  },
  // Splunk takes a batch, says that it will acknowledge it under 0, and restarts with nothing of it. The answer to the next batch, which has the id
  // 0 again, gets lost; `true` for 0 counted as the acknowledgement of the first.
  'a receiver that counts its acknowledgements from 0 again, and whose next answer gets lost': {
    ...nothing,
    seed: 6,
    hours: 0.25,
    sources: [{ name: 'stream', kind: 'stream', pageSize: 5, backMs: 0 }],
    sinks: [{ ...sink, acknowledges: 'later', wire: 'hec_ack' }],
    events: [0, 1, 2, 3].map((n) => ({ source: 'stream', n, at: minute + n * 20_000, late: 0 })),
    faults: [{ on: 'sink1', kind: 'restart', from: minute, to: 75_000, share: 1 }],
  },
  // Nothing is late but what a copy of the vendor does not have yet: it is only read because windows that are over are read again.
  'a vendor whose copies lag behind each other, and nothing else': {
    ...nothing,
    seed: 7,
    hours: 1.5,
    sources: [{ name: 'offset', kind: 'offset', pageSize: 5, backMs: 0 }],
    sinks: [sink],
    events: Array.from({ length: 40 }, (_, n) => ({ source: 'offset', n, at: 2 * minute + n * 80_000, late: 0 })),
    faults: [{ on: 'offset', kind: 'stale', from: 0, to: hour, share: 0.6 }],
  },
  // A poll and an import of the same folder have a page in hand each. The watch compared a commit with what was handed out last, to whom so ever.
  'an import beside a poll of the same folder': {
    ...nothing,
    seed: 64_000_078,
    hours: 4,
    sources: [{ name: 'files', kind: 'files', pageSize: 2, backMs: hour, everyMs: hour }],
    sinks: [{ ...sink, acknowledges: 'never' }],
    events: [
      3_688_892, 4_165_426, 4_348_956, 4_873_758, 4_873_758, 4_873_758, 4_873_758, 6_395_838, 6_653_303, 6_888_908, 6_888_908,
    ].map((at, n) => ({ source: 'files', n: 10 + n, at, late: 0 })),
    faults: [{ on: 'files', kind: 'cut_body', from: 7_942_305, to: 14_306_747, share: 0.1 }],
    ends: [
      { at: 1.5 * hour, kind: 'stop', nth: 1, when: 'after', share: 0.5, downMs: 2 * hour },
      { at: 11_069_241, kind: 'step', nth: 7, when: 'before', share: 0.5, downMs: 10 * minute },
    ],
    jobs: [
      { at: 7_562_373, kind: 'import', source: 'files', shown: 1_238_821 },
      { at: 13_000_678, kind: 'release', of: 'source', name: 'files' },
    ],
  },
  // A source begins once more, and the power goes at the commit that plans its second look. The watch had forgotten that there was one before.
  'a second look that is planned after a reset, and lost': {
    ...nothing,
    hours: 3,
    sources: [{ name: 'offset', kind: 'offset', pageSize: 20, sweepEveryMs: 2 * hour, backMs: 0 }],
    sinks: [sink],
    events: [{ source: 'offset', n: 0, at: 10 * minute, late: 0 }],
    ends: [
      { at: 1.5 * hour, kind: 'stop', nth: 1, when: 'after', share: 0.5, downMs: minute },
      { at: 2 * hour, kind: 'commit', nth: 2, when: 'before', share: 0.5, downMs: minute },
    ],
    offline: [{ at: 1.5 * hour, kind: 'reset', source: 'offset' }],
  },
};
