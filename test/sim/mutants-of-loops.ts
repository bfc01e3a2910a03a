// Faults that tests alone notice: in how sources are read and sinks are delivered to, and in what these two stand on.
import type { Mutant } from './mutate.ts';

const collect: readonly Mutant[] = [
  {
    name: 'what rests is tried again and again where no hold is noted',
    file: 'src/deliver/dispatch.ts',
    caughtBy: 'test/deliver/endpoints/newcomers.test.ts',
    edits: [['return this.#context.hold.note === undefined && isAtRest(this.#context, batch);', 'return false;']],
  },
  {
    name: 'a receiver that takes no event counts as well once it has one',
    file: 'src/deliver/send.ts',
    caughtBy: 'test/deliver/endpoints/newcomers.test.ts',
    edits: [['endpoints.isDoubted(endpoint) || hold.cause?.fix === takesNothingFix;', 'endpoints.isDoubted(endpoint);']],
  },
  {
    name: 'a total that runs along counts as growth',
    file: 'src/collect/windows/guard.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [
      [
        'const isRunning = next !== null && total <= facts.length;',
        'const isRunning = next === undefined && total <= facts.length;',
      ],
    ],
  },
  {
    name: 'an old window counts as one that is still open',
    file: 'src/collect/windows/scan.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [
      ['  to > vendorNow(context) - Math.max(openMs, context.settings.window.overlapMs);', '  to > 0 || context === undefined;'],
    ],
  },
  {
    name: 'what was not shown is forgotten beyond a hundred stretches',
    file: 'src/collect/memory/shortfalls.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [
      [
        'return bounded([{ ...joined([first, second]), records: first.records + second.records }, ...rest]);',
        'return bounded([second, ...rest]);',
      ],
    ],
  },
  {
    name: 'each part of a page says that its window is done',
    file: 'src/collect/admit.ts',
    caughtBy: 'test/collect/windows/poll.test.ts',
    edits: [['...(isLast && complete === true ?', '...(complete === true || isLast && false ?']],
  },
  {
    name: 'a broken walk goes on at its offset',
    file: 'src/collect/windows/walk.ts',
    caughtBy: 'test/collect/windows/poll.test.ts',
    edits: [
      [
        '  const first = { ...begun(left), readFrom: left.from };',
        "  if (left.state.kind === 'offset') return left;\n  const first = { ...begun(left), readFrom: left.from };",
      ],
    ],
  },
  {
    name: 'windows follow each other with a gap',
    file: 'src/collect/windows/windows.ts',
    caughtBy: 'test/collect/windows/windows.test.ts',
    edits: [
      [
        'position = Math.max(position, window.to - precisionOf(context));',
        'position = Math.max(position, window.to + precisionOf(context));',
      ],
    ],
  },
  {
    name: 'windows are as large as before where a poll got stuck',
    file: 'src/collect/windows/windows.ts',
    caughtBy: 'test/collect/windows/windows.test.ts',
    edits: [['return Math.min(this.#ms, stuck.ms);', 'return this.#ms;']],
  },
  {
    name: 'a sweep that a wrong clock left in the future goes on',
    file: 'src/collect/windows/sweep.ts',
    caughtBy: 'test/collect/windows/sweep.test.ts',
    edits: [['stored.began > now || stored.to > now', 'stored.began < 0 || stored.to < 0']],
  },
  {
    name: 'a sweep that the next poll interrupts is done',
    file: 'src/collect/windows/sweep.ts',
    caughtBy: 'test/collect/windows/sweep.test.ts',
    edits: [['if (until < range.to) return { ...rest, until };', '']],
  },
  {
    name: 'the first part of a page moves the cursor behind all of it',
    file: 'src/collect/cursor/poll.ts',
    caughtBy: 'test/collect/cursor/poll.test.ts',
    edits: [
      ['const value = taken < records.length ? partly(at, taken) : this.#after(at, end);', 'const value = this.#after(at, end);'],
    ],
  },
  {
    name: 'a log is read again from where ids are forgotten',
    file: 'src/collect/cursor/begin.ts',
    caughtBy: 'test/collect/cursor/poll.test.ts',
    edits: [['Math.max(live.start, remembered, begins', 'Math.max(live.start, begins']],
  },
  {
    name: 'a full page without a cursor is the end of the log',
    file: 'src/collect/cursor/step.ts',
    caughtBy: 'test/collect/cursor/poll.test.ts',
    edits: [['if (more === true || (more === undefined && isFull))', 'if (more === true)']],
  },
  {
    name: 'a later and shorter pause ends a longer one',
    file: 'src/collect/budgets.ts',
    caughtBy: 'test/collect/budgets.test.ts',
    edits: [['Math.max(this.#pausedUntil, now + waitMs)', 'now + waitMs']],
  },
  {
    name: 'a record of the future moves how far a log was read',
    file: 'src/collect/cursor/step.ts',
    caughtBy: 'test/collect/cursor/poll.test.ts',
    edits: [['time > latest && time <= now) latest', 'time > latest) latest']],
  },
  {
    name: 'what was read before our clock fell behind is read again',
    file: 'src/collect/windows/begin.ts',
    caughtBy: 'test/collect/windows/clock-behind.test.ts',
    edits: [[' || isPastForVendor(context, live.until)) return live;', ') return live;']],
  },
];

const deliver: readonly Mutant[] = [
  {
    name: 'a page at everything is taken for a refusal of each event',
    file: 'src/deliver/endpoints/reach.ts',
    caughtBy: 'test/sinks/firewalls.test.ts',
    edits: [['(await reaches(context, use, sink)) === true ?', '(await reaches(context, use, sink)) !== undefined ?']],
  },
  {
    name: 'a release accuses events, whatever the hold is for',
    file: 'src/deliver/loop.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['if (hold.note?.fix === takesNothingFix) suspects.accuse();', 'suspects.accuse();']],
  },
  {
    name: 'a connection closed just as the request left is a failure of the batch',
    file: 'src/deliver/blame/narrow.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [
      [
        'if (failure.retryAfterMs === 0 && batch.hasty === 0 && !blame.isSuspect',
        'if (failure.retryAfterMs === 0 && batch.hasty < 0 && !blame.isSuspect',
      ],
    ],
  },
  {
    name: 'a replica writes over what another noted of its events',
    file: 'src/deliver/blame/suspects.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['this.#with(isObject(note) ? note : {})', 'this.#with({})']],
  },
  {
    name: 'what was given up waits until the clock of whoever noted it has come',
    file: 'src/deliver/blame/given-up.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['const at = Math.min(known.at, now);', 'const { at } = known;']],
  },
  {
    name: 'what was given up rests by a clock that steps',
    file: 'src/deliver/context.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['this.steadyNow = steadyTime(clock);', 'this.steadyNow = () => clock.now();']],
  },
  {
    name: 'letters that wait behind an event without an outcome keep the room that it waits for',
    file: 'src/deliver/dead-letters.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [['    this.#behind = this.#reserved;\n', '']],
  },
  {
    name: 'an event is given up for good though most that are sent alone fail',
    file: 'src/deliver/blame/judge.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [[' && !areManyAlone(context, batch)', '']],
  },
  {
    name: 'a receiver that asks one event to come later is believed by a clock that steps',
    file: 'src/deliver/blame/meant.ts',
    caughtBy: 'test/deliver/blame/meant.test.ts',
    edits: [['clock.monotonic() - first.monotonic', 'clock.now() - first.at']],
  },
  {
    name: 'a copy of an event that there is no room to give up is not counted',
    file: 'src/deliver/apply.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['asked === true && kept.includes(index);', 'asked === undefined && kept.includes(index);']],
  },
  {
    name: 'events as large as one that was the cause go alone for ever',
    file: 'src/deliver/blame/size-limits.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['this.#clock.monotonic() - limit.messageAt < messageMemoryMs', 'limit.messageAt >= 0']],
  },
  {
    name: 'a question that is not answered says that the receiver is there',
    file: 'src/deliver/endpoints/reach.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['return isReached === undefined && limit.signal.aborted ? false : isReached;', 'return isReached;']],
  },
  {
    name: 'a second probe begins beside the note of the first',
    file: 'src/deliver/hold/hold.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [
      ["    this.#hold.postpone(waitsForRelease(cause) ? 'forever' : answer);\n    // What", '    // What'],
      [
        '    if (!hasMet) await this.#noted(this.#hold.begin(cause.reason, cause.fix));\n',
        "    if (!hasMet) await this.#noted(this.#hold.begin(cause.reason, cause.fix));\n    this.#hold.postpone(waitsForRelease(cause) ? 'forever' : answer);\n",
      ],
    ],
  },
  {
    name: 'each process adds to the reason of a hold what a probe met',
    file: 'src/deliver/hold/hold.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [["const [reason = ''] = note.reason.split(metSince);", 'const reason = note.reason;']],
  },
  {
    name: 'a hold is probed before the receiver wants to be asked',
    file: 'src/deliver/hold/probe.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [['rest: () => endpoints.restMs,', 'rest: () => 0,']],
  },
  {
    name: 'a replay that is gone is settled for ever',
    file: 'src/deliver/settle.ts',
    caughtBy: 'test/deliver/lanes.test.ts',
    edits: [
      [
        "    if (lane.kind === 'replay' && error instanceof PenstockError && error.code === 'PEN_NOT_FOUND') {",
        "    if (lane.kind === 'replay' && error instanceof PenstockError && error.code === 'PEN_INTERNAL') {",
      ],
    ],
  },
  {
    name: 'a letter that the sink does not take now is resolved',
    file: 'src/deliver/lane.ts',
    caughtBy: 'test/deliver/lane.test.ts',
    edits: [["if (letter !== undefined && outcome !== 'not_routed')", 'if (letter !== undefined)']],
  },
  {
    name: 'a late answer that broke off counts as an acknowledgement',
    file: 'src/deliver/dispatch.ts',
    caughtBy: 'test/deliver/sending.test.ts',
    edits: [
      [
        'catch((error: unknown): Verdicts => ({ all: verdictOf(error) }))',
        "catch((): Verdicts => ({ all: { kind: 'accept' } }))",
      ],
    ],
  },
  {
    name: 'what failed waits for something new where offsets made room for it',
    file: 'src/deliver/loop.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['this.#deliver(), this.#dispatcher.run(), ', 'this.#deliver(), ']],
  },
  {
    name: 'halves of a replayed batch are not said to be replayed',
    file: 'src/deliver/batch.ts',
    caughtBy: 'test/deliver/sending.test.ts',
    edits: [['new Batch(this.#context, prepared, this.isReplay, this)', 'new Batch(this.#context, prepared, false, this)']],
  },
  {
    name: 'a batch holds more events than the sink takes',
    file: 'src/deliver/form.ts',
    caughtBy: 'test/deliver/sending.test.ts',
    edits: [['Math.min(batch.events, sink.maxBatchEvents ?? Number.POSITIVE_INFINITY)', 'batch.events']],
  },
  {
    name: 'who tried a failing endpoint last is first again',
    file: 'src/deliver/endpoints/endpoints.ts',
    caughtBy: 'test/deliver/endpoints/newcomers.test.ts',
    edits: [[' || (state.failures > 0 && !isFirst)) continue;', ' || (state.failures < 0 && !isFirst)) continue;']],
  },
  {
    name: 'a shorter pause of an endpoint ends a longer one',
    file: 'src/deliver/endpoints/endpoints.ts',
    caughtBy: 'test/deliver/endpoints/endpoints.test.ts',
    edits: [['state.askedUntil = Math.max(state.askedUntil, this.#clock', 'state.askedUntil = Math.max(0, this.#clock']],
  },
  {
    name: 'events that a hold keeps and that may be stored are not counted',
    file: 'src/deliver/decide.ts',
    caughtBy: 'test/deliver/decide.test.ts',
    edits: [['      if (verdict.maybeStored === true) sorted.uncertain.push(index);\n', '']],
  },
  {
    name: 'an answer with too few verdicts is trusted',
    file: 'src/deliver/decide.ts',
    caughtBy: 'test/deliver/decide.test.ts',
    edits: [['if (verdicts.each.length === size) return decideEach', 'if (verdicts.each.length <= size) return decideEach']],
  },
  {
    name: 'three events that must not go again hold the sink',
    file: 'src/deliver/hold/refusal-rate.ts',
    caughtBy: 'test/deliver/hold/refusal-rate.test.ts',
    edits: [['return !isFinal && isAll &&', 'return isAll &&']],
  },
  {
    name: 'a sink with labels of its own shares the events of others',
    file: 'src/deliver/shared-events.ts',
    caughtBy: 'test/deliver/shared-events.test.ts',
    edits: [['users > 1 && sharesEvents(settings)', 'users > 1']],
  },
  {
    name: 'attempts that a Kafka client repeated are forgotten where leaders moved',
    file: 'src/sinks/kafka/client.ts',
    caughtBy: 'test/sinks/kafka.test.ts',
    edits: [['doubts: () => doubts', 'doubts: () => 0']],
  },
  {
    name: 'records that a Kafka client sent again under another id are not counted as copies',
    file: 'src/sinks/kafka/client.ts',
    caughtBy: 'test/sinks/kafka.test.ts',
    edits: [['        renewals += 1;\n', '']],
  },
  {
    name: 'a window is left because its neighbour was',
    file: 'src/collect/windows/walk.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [['- Math.max(one.from, from)) > to - from)', '- Math.max(one.from, from)) > 0)']],
  },
  {
    name: 'a filter drops what could not be read',
    file: 'src/deliver/prepare.ts',
    caughtBy: 'test/deliver/prepare.test.ts',
    edits: [['    if (actionKey === undefined || failed !== undefined) return true;\n', '']],
  },
  {
    name: 'letters that are refused once more end a hold for many refused events',
    file: 'src/deliver/hold/probe.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [['(isRefusedAgain && applied.letters > 0)', 'false']],
  },
  {
    name: 'letters that are refused once more keep any hold',
    file: 'src/deliver/hold/probe.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [["hold.cause?.kind === 'systematic' && applied.delivered === 0", 'applied.delivered === 0']],
  },
];

const below: readonly Mutant[] = [
  {
    name: 'ids of a day are forgotten in which only duplicates are found',
    file: 'src/journal/sqlite/records/seen.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['if (rows.length > 0) touched.add(bucket);', '']],
  },
  {
    name: 'ids within the overlap are given up where room is wanted',
    file: 'src/journal/sqlite/records/seen.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['- s.seen_pinned_ms - ${touchEveryMs}', '- ${touchEveryMs}']],
  },
  {
    name: 'numbers of jobs begin again after a repair',
    file: 'src/journal/sqlite/repair/salvage.ts',
    caughtBy: 'test/journal/repair.test.ts',
    edits: [['  copySequences(from, to);\n', '']],
  },
  {
    name: 'a server out of memory is a full journal',
    file: 'src/journal/postgres/room.ts',
    caughtBy: 'test/journal/server-room.test.ts',
    edits: [
      ['if (this.#refused() !== undefined) return false;', 'if (this.#refused() !== undefined) return (this.#hasRoom = false);'],
    ],
  },
  {
    name: 'a page that the server refuses is told of a full journal',
    file: 'src/journal/postgres/room.ts',
    caughtBy: 'test/journal/server-room.test.ts',
    edits: [['    if (refusal !== undefined)\n      throw', '    if (refusal === null)\n      throw']],
  },
  {
    name: 'the timer of the heap keeps a process alive',
    file: 'src/base/heap.ts',
    caughtBy: 'test/base/heap.test.ts',
    edits: [['lookMs).unref();', 'lookMs);']],
  },
  {
    name: 'the heap follows how busy the process was since it began',
    file: 'src/base/heap.ts',
    caughtBy: 'test/base/heap.test.ts',
    edits: [['    before = now;\n', '']],
  },
  {
    name: 'garbage of the start is collected whatever there is to do',
    file: 'src/base/heap.ts',
    caughtBy: 'test/base/heap.test.ts',
    edits: [['if (busyness() > busyShare) timer', 'if (busyness() > 1) timer']],
  },
  {
    name: 'an event may lack what is required',
    file: 'src/event/ocsf/recognise.ts',
    caughtBy: 'test/event/recognise.test.ts',
    edits: [['return place.isComplete;', 'return true;']],
  },
  {
    name: 'only the first element of a list has to be valid',
    file: 'src/event/ocsf/recognise.ts',
    caughtBy: 'test/event/recognise.test.ts',
    edits: [['value.every((each) => one(each))', 'value.slice(0, 1).every((each) => one(each))']],
  },
  {
    name: 'the beginning of the token is enough',
    file: 'src/admin/access.ts',
    caughtBy: 'test/admin/access.test.ts',
    edits: [
      [
        'return one.length === other.length && timingSafeEqual(one, other);',
        'return one.length > 0 && timingSafeEqual(one, other.subarray(0, one.length));',
      ],
    ],
  },
  {
    name: 'an answer that nothing is there yet is an empty page',
    file: 'src/connectors/http-window/judge.ts',
    caughtBy: 'test/connectors/failures.test.ts',
    edits: [
      [
        'if (status === 202 && byStatus === undefined && !holdsRecords)',
        'if (status === 2020 && byStatus === undefined && !holdsRecords)',
      ],
    ],
  },
  {
    name: 'a refusal that speaks of a rate is no refusal',
    file: 'src/connectors/http-window/judge.ts',
    caughtBy: 'test/connectors/failures.test.ts',
    edits: [['if (!rateStatuses.has(status)) return undefined;', '']],
  },
  {
    name: 'a zone west of Greenwich by half an hour is an hour off',
    file: 'src/event/time.ts',
    caughtBy: 'test/event/time.test.ts',
    edits: [["(sign === '-' ? -1 : 1) * (hours * 60 + minutes)", "(sign === '-' ? -1 : 1) * hours * 60 + minutes"]],
  },
  {
    name: 'the zone of times without one is ignored',
    file: 'src/event/time.ts',
    caughtBy: 'test/event/time.test.ts',
    edits: [['match[8] === undefined && zone !== undefined ? zone.toInstant(ms) : ms', 'ms']],
  },
  {
    name: 'the words of an issuer are shown, whatever they repeat',
    file: 'src/http/oauth2.ts',
    caughtBy: 'test/http/oauth2.test.ts',
    edits: [["typeof error === 'string' && /^[a-z_]{1,40}$/.test(error)", "typeof error === 'string'"]],
  },
  {
    name: 'a token that was refused takes the one along that came since',
    file: 'src/http/oauth2.ts',
    caughtBy: 'test/http/oauth2.test.ts',
    edits: [['if (token === undefined || token === held?.token) held = undefined;', 'held = undefined;']],
  },
  {
    name: 'of several pauses the shortest counts',
    file: 'src/http/retry-after.ts',
    caughtBy: 'test/http/retry-after.test.ts',
    edits: [['Math.min(longestMs, Math.max(...waits))', 'Math.min(longestMs, Math.min(...waits))']],
  },
  {
    name: 'a duration may be followed by anything',
    file: 'src/base/quantity.ts',
    caughtBy: 'test/base/timestamp.test.ts',
    edits: [['/^(\\d+(?:\\.\\d+)?)(ms|s|m|h|d|w)$/', '/^(\\d+(?:\\.\\d+)?)(ms|s|m|h|d|w)/']],
  },
  {
    name: 'what a sink without configuration has not had is deleted, for it might skip',
    file: 'src/journal/sqlite/upkeep/trim.ts',
    caughtBy: 'test/journal/limits.test.ts',
    edits: [["k.when_full = 'wait' OR k.configured = 0", "k.when_full = 'wait'"]],
  },
  {
    name: 'a full journal has room again with each page that goes',
    file: 'src/journal/sqlite/upkeep/room.ts',
    caughtBy: 'test/journal/limits.test.ts',
    edits: [['fits(room ? worstPage : worstPage + maxBytes / 10)', 'fits(worstPage)']],
  },
  {
    name: 'a damaged table is saved up to the damage alone',
    file: 'src/journal/sqlite/repair/salvage.ts',
    caughtBy: 'test/journal/repair.test.ts',
    edits: [['  copyRun(from, table, descending, columns, insert);\n', '']],
  },
  {
    name: 'a plain request goes to its proxy without the credentials',
    file: 'src/http/open-http-client.ts',
    caughtBy: 'test/http/tls.test.ts',
    edits: [['{ host: url.host, ...proxyHeaders(proxy) }', '{ host: url.host }']],
  },
];

/** The faults, and which test file notices each. */
export const mutantsOfLoops: readonly Mutant[] = [...collect, ...deliver, ...below];
