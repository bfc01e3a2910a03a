// Faults that cost events, each put into a copy of the code, and what notices it: a history of the simulation, or a test where no history can
// see it. A mutant that nothing notices is a hole in the oracle or in a test; one that cannot be applied any more has to follow the code.

import { mutantsOfLoops } from './mutants-of-loops.ts';
import { mutantsOfReplicas } from './mutants-of-replicas.ts';
import { mutantsOfSinks } from './mutants-of-sinks.ts';
import { mutantsOfTests } from './mutants-of-tests.ts';
import type { Mutant } from './mutate.ts';

const appendOfPage = '    await untilAnswered(() => journal.append(commit), seams, answerWithinMs);';
const mutantsOfHistories: readonly Mutant[] = [
  {
    name: 'an id that may stand for a batch whose answer was lost acknowledges another',
    file: 'src/sinks/splunk-hec/channel.ts',
    caughtBy: 'fixed',
    edits: [['const isSure = unanswered() <= ackId;', 'const isSure = true;']],
  },
  {
    name: 'one endpoint is asked to acknowledge what another took',
    file: 'src/sinks/splunk-hec/acknowledge.ts',
    caughtBy: 'seed 67000001',
    edits: [['const known = this.#endpoints.get(name);', 'const [known] = this.#endpoints.values();']],
  },
  {
    name: 'the first of numbered pages is asked for again and again',
    file: 'src/connectors/http-window/paging.ts',
    caughtBy: 'seed 68000001',
    edits: [["const number = state?.kind === 'offset' ? state.offset : first;", 'const number = first;']],
  },
  {
    name: 'nobody waits for the news that a datagram found no listener',
    file: 'src/sinks/syslog/udp.ts',
    caughtBy: 'fixed',
    edits: [['      await sleep(this.#transport.context.seams.clock, refusalMs, signal);\n', '']],
  },
  {
    name: 'no sync at all',
    file: 'src/journal/sqlite/file/database.ts',
    caughtBy: 'fixed',
    edits: [
      ['PRAGMA synchronous = FULL', 'PRAGMA synchronous = OFF'],
      ["'wal,2,2'", "'wal,0,2'"],
    ],
  },
  {
    name: 'no sync per commit',
    file: 'src/journal/sqlite/file/database.ts',
    caughtBy: 'small',
    edits: [
      ['PRAGMA synchronous = FULL', 'PRAGMA synchronous = NORMAL'],
      ["'wal,2,2'", "'wal,1,2'"],
    ],
  },
  {
    name: 'cursor committed before the append',
    file: 'src/collect/admit.ts',
    caughtBy: 'seed 1',
    edits: [
      [
        appendOfPage,
        `    if (isLast && place.checkpoint !== undefined) await journal.append({ source: settings.name, checkpoint: place.checkpoint });\n${appendOfPage}`,
      ],
    ],
  },
  {
    name: 'log read on from now when its cursor is lost',
    file: 'src/collect/cursor/begin.ts',
    caughtBy: 'seed 6',
    edits: [['live.newest === undefined ? live.start : Math.min(live.newest, live.until) - settings.window.overlapMs', 'now']],
  },
  {
    name: 'ids remembered before the append',
    file: 'src/collect/admit.ts',
    caughtBy: 'small',
    edits: [[appendOfPage, `    await journal.append({ source: settings.name, seen: sorted.seen });\n${appendOfPage}`]],
  },
  {
    name: 'attempt of an append made anew when it is asked for again',
    file: 'src/collect/admit.ts',
    caughtBy: 'seed 25',
    edits: [['journal.append(commit)', 'journal.append({ ...commit, attempt: uuid(seams.random) })']],
  },
  {
    name: 'attempt of a settle made anew when it is asked for again',
    file: 'src/deliver/settle.ts',
    caughtBy: 'small',
    edits: [['this.#attempts.get(settlement) ?? uuid(', 'uuid(']],
  },
  {
    name: 'error of an append swallowed',
    file: 'src/collect/admit.ts',
    caughtBy: 'small',
    edits: [[appendOfPage, appendOfPage.replace(';', '.catch(() => undefined);')]],
  },
  {
    name: 'error of a commit swallowed',
    file: 'src/journal/sqlite/file/writer.ts',
    caughtBy: 'small',
    edits: [
      [
        "change.failed(full && change.urgency === 'append' ? diskFullError(path, error) : storageError(error, path));",
        'change.done(undefined);',
      ],
    ],
  },
  {
    name: 'offset moved before the acknowledgement',
    file: 'src/deliver/send.ts',
    caughtBy: 'fixed',
    edits: [
      [
        '      let answer = await attempt(context, batch, endpoint, use, isProbe);',
        "      apply(context, batch, decide({ all: { kind: 'accept' } }, batch.size));\n      let answer = await attempt(context, batch, endpoint, use, isProbe);",
      ],
    ],
  },
  {
    name: 'error of a send swallowed',
    file: 'src/deliver/exchange.ts',
    caughtBy: 'seed 1',
    edits: [['return { all: verdictOf(error) };', "return { all: { kind: 'accept' } };"]],
  },
  {
    name: 'time-out of a send taken for an answer',
    file: 'src/deliver/exchange.ts',
    caughtBy: 'seed 1',
    edits: [["resolve({ all: { kind: 'uncertain', reason } })", "resolve({ all: { kind: 'accept' } })"]],
  },
  {
    name: 'a retry that changes the bytes of its batch',
    file: 'src/deliver/batch.ts',
    caughtBy: 'fixed',
    edits: [
      [
        'encoded: this.#encoded, endpoint',
        'encoded: attempts > 1 ? Encoded.of(this.#encoded.texts().map((text) => `${text} `)) : this.#encoded, endpoint',
      ],
    ],
  },
  {
    name: 'days of ids forgotten',
    file: 'src/journal/sqlite/records/seen.ts',
    caughtBy: 'fixed',
    edits: [['const bucket = day === noTime ? today : day;', 'const bucket = day === noTime ? today : 0;']],
  },
  {
    name: 'ids in blocks never looked up',
    file: 'src/journal/sqlite/records/seen.ts',
    caughtBy: 'seed 7',
    edits: [['const found = blocks.find(source, day, ids);', 'const found: [number, string][] = [];']],
  },
  {
    name: 'blocks of ids deleted before they are moved',
    file: 'src/journal/sqlite/records/id-blocks.ts',
    caughtBy: 'seed 7',
    edits: [
      ['const mostHot = 500_000;', 'const mostHot = 0;'],
      [/( {4}const rows = nearlySorted)/, '    await writer.write(() => void remove.run(source, day, last));\n$1'],
    ],
  },
  {
    name: 'letters taken out when they are refused once more',
    file: 'src/deliver/lane.ts',
    caughtBy: 'fixed',
    edits: [
      [
        '    sum.newLetters += letter === undefined ? 1 : 0;',
        '    sum.newLetters += letter === undefined ? 1 : 0;\n    if (letter !== undefined) sum.resolved.push(letter);',
      ],
    ],
  },
  {
    name: 'error of a settle swallowed',
    file: 'src/deliver/settle.ts',
    caughtBy: 'small',
    edits: [['      return this.#onFailed(lane, error);', '      void error;']],
  },
  {
    name: 'duplicates told by id alone',
    file: 'src/collect/admit.ts',
    caughtBy: 'seed 1',
    edits: [['if (isKnown(fingerprints, facts.fingerprint)) {', 'if (fingerprints !== undefined) {']],
  },
  {
    name: 'duplicates not told at all',
    file: 'src/collect/admit.ts',
    caughtBy: 'fixed',
    edits: [['if (isKnown(fingerprints, facts.fingerprint)) {', 'if (context.counts.fetched < 0) {']],
  },
  {
    name: 'dead letters written after the offset',
    file: 'src/journal/sqlite/delivery/offsets.ts',
    caughtBy: 'small',
    edits: [
      [
        'for (const letter of newLetters) letters.insert(sink, source, letter, true);',
        'if (newLetters.length > 0) setImmediate(() => void core.writer.write(() => newLetters.forEach((letter) => letters.insert(sink, source, letter, true))));',
      ],
    ],
  },
  {
    name: 'cursor in a transaction of its own',
    file: 'src/journal/sqlite/records/append.ts',
    caughtBy: 'small',
    edits: [
      [
        '    const before = await core.writer.write(() => {',
        "    const { page: _page, window: _window, ...cursor } = commit;\n    await core.writer.write(() => apply(cursor, []), 'append');\n    const before = await core.writer.write(() => {",
      ],
    ],
  },
  {
    name: 'messages acknowledged before they are committed',
    file: 'src/collect/stream/poll.ts',
    caughtBy: 'fixed',
    edits: [
      [
        'live = await untilCommitted(context, messages, live, hours, halt.soft);',
        'void untilCommitted(context, messages, live, hours, halt.soft).catch(() => undefined);',
      ],
    ],
  },
  {
    name: 'the last total counts where rows go away while they are read',
    file: 'src/collect/windows/guard.ts',
    caughtBy: 'seed 65001230',
    edits: [['this.#mostTotal = Math.max(this.#mostTotal, total);', 'this.#mostTotal = total;']],
  },
  {
    name: 'no overlap',
    file: 'src/collect/windows/poll.ts',
    caughtBy: 'seed 1',
    edits: [['from: Math.max(start, Math.min(from ?? until, until - overlapOf(context))),', 'from: until,']],
  },
  {
    name: 'what a lagging copy hid is not looked for again',
    file: 'src/collect/windows/poll.ts',
    caughtBy: 'fixed',
    edits: [
      [
        'Math.max(settings.window.overlapMs, settings.connector.defaults.precisionMs);',
        'settings.connector.defaults.precisionMs;',
      ],
    ],
  },
  {
    name: 'ages told by the wall clock',
    file: 'src/journal/sqlite/file/journal-time.ts',
    caughtBy: 'fixed',
    edits: [
      ['return Math.floor(this.#startedAt + this.#clock.monotonic() - this.#monotonicAtStart);', 'return this.#clock.now();'],
    ],
  },
  {
    name: 'ages told by the wall clock, and a start that refuses what they leave',
    file: 'src/journal/sqlite/file/journal-time.ts',
    caughtBy: 'fixed',
    edits: [
      ['return Math.floor(this.#startedAt + this.#clock.monotonic() - this.#monotonicAtStart);', 'return this.#clock.now();'],
    ],
    elsewhere: {
      'src/journal/sqlite/upkeep/trim.ts': [
        [
          /AND first <= \(SELECT max\(first\) FROM \(SELECT first, received_last FROM pages[^)]*\) WHERE received_last < \?4\)/,
          'AND received_last < ?4',
        ],
      ],
      'src/journal/sqlite/repair/check.ts': [
        [
          '    if (expected > last) return [];',
          "    const ends = all<{ first: number; count: number }>(runs, source, kind, 0).map(({ first, count }) => first + count - 1);\n    if (expected > last) return ends.length > 0 && Math.max(...ends) !== last ? ['counts differ'] : [];",
        ],
      ],
    },
  },
  {
    name: 'a probe that asks with the refused event again',
    file: 'src/deliver/send.ts',
    caughtBy: 'fixed',
    edits: [
      [
        "batch.standsBack = isProbe && applied.hold?.kind === 'systematic' && applied.delivered === 0;",
        'batch.standsBack = false;',
      ],
    ],
  },
  {
    name: 'a retry that waits for letters that are gone',
    file: 'src/journal/sqlite/delivery/replays.ts',
    caughtBy: 'test/journal/contract.test.ts',
    edits: [['if (replay.after >= after) await', 'if (replay.after > after) await']],
  },
  {
    name: 'taken events of a partly refused batch are sent again',
    file: 'src/deliver/decide.ts',
    caughtBy: 'small',
    edits: [
      ['      sorted.acknowledged.push(index);\n', '      sorted.acknowledged.push(index);\n      sorted.later.push(index);\n'],
    ],
  },
  {
    name: 'an event is given up in an outage',
    file: 'src/deliver/blame/judge.ts',
    caughtBy: 'fixed',
    edits: [
      ['  if (!lone.counts(wasReached || isAllThereIs || isNearlyProven(batch))) return decision;\n', '  lone.counts(true);\n'],
      ['const isLikely = isLikelyCause(batch, lone.failures);', 'const isLikely = lone.failures >= 3;'],
    ],
  },
  {
    name: 'a flaky receiver is not told from a bad event',
    file: 'src/deliver/blame/judge.ts',
    caughtBy: 'seed 3',
    edits: [
      [
        'const isLikely = isLikelyCause(batch, lone.failures);',
        'const isLikely = blame.turns >= fewestTurns && lone.failures >= 2;',
      ],
    ],
  },
  {
    name: 'a page committed with the place behind the next one',
    file: 'src/collect/windows/poll.ts',
    caughtBy: 'seed 1',
    edits: [
      [
        'const next = after(context, live, page);',
        "const next = after(context, live, { ...page, next: undefined, end: 'complete' });",
      ],
    ],
  },
];

/** All of them. */
export const mutants: readonly Mutant[] = [
  ...mutantsOfHistories,
  ...mutantsOfReplicas,
  ...mutantsOfTests,
  ...mutantsOfLoops,
  ...mutantsOfSinks,
];
