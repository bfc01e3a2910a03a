// Faults that no history of the simulation can see, for they lie beyond what it plays, or cost time, memory or a secret instead of an event.
import type { Mutant } from './mutate.ts';

const security: readonly Mutant[] = [
  {
    name: 'a message is cut before secrets are taken out of it',
    file: 'src/base/secrets.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [['return tame(clip(this.scrubStart(text, most), most));', 'return tame(this.scrub(clip(text, most)));']],
  },
  {
    name: 'what steers a terminal stays in messages',
    file: 'src/base/secrets.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [['return tame(clip(this.scrubStart(text, most), most));', 'return clip(this.scrubStart(text, most), most);']],
  },
  {
    name: 'a secret that was cut off is not known',
    file: 'src/base/secret-index.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [['return Math.max(shortestBeginning, Math.min(Math.ceil(form.length / 4), 24));', 'return form.length;']],
  },
  {
    name: 'a segment of a secret URL is no secret by itself',
    file: 'src/base/secret-index.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [['...[path, ...pieces].filter(isTelling)]', ']']],
  },
  {
    name: 'a secret behind two kinds of escapes is not found',
    file: 'src/base/secrets.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [['if (layers.length >= most) break;', 'if (layers.length >= most || layer !== layers[0]) break;']],
  },
  {
    name: 'a database that repeats the password is quoted as it is',
    file: 'src/journal/postgres/database.ts',
    caughtBy: 'test/journal/database-cut-off.test.ts',
    edits: [['this.#secrets.tellError(databaseError(error, this.where))', 'databaseError(error, this.where)']],
  },
  {
    name: 'a secret in a record is not looked for behind escapes',
    file: 'src/base/secrets.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [["const escapeMarks = ['%', '&#', '\\\\'];", 'const escapeMarks: string[] = [];']],
  },
  {
    name: 'a credential is not known before its request leaves',
    file: 'src/http/credentials.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [
      [
        'for (const [name, value] of Object.entries(headers)) if (isCredential(name)) learn(value, secrets);',
        'for (const [name, value] of Object.entries(headers)) if (isCredential(name) && proofs.length < 0) learn(value, secrets);',
      ],
    ],
  },
  {
    name: 'a record keeps its text although a member of it is a secret',
    file: 'src/event/redact.ts',
    caughtBy: 'test/event/fingerprint.test.ts',
    edits: [['if (isName(json, end + 1)) return secretKind(text) === undefined;', 'if (isName(json, end + 1)) return true;']],
  },
  {
    name: 'the search for secrets goes one step too far',
    file: 'src/base/secret-index.ts',
    caughtBy: 'test/base/secrets.test.ts',
    edits: [['Math.min(this.#steps[block] ?? 0, last - at);', 'Math.min(this.#steps[block] ?? 0, last - at + 1);']],
  },
  {
    name: 'the length that a peer tells is believed',
    file: 'src/http/body.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [['Math.min(this.expected, needed * believed)', 'this.expected']],
  },
  {
    name: 'a session token in a record is kept',
    file: 'src/event/redact-text.ts',
    caughtBy: 'test/event/redact.test.ts',
    edits: [['`(?:secret|token|password|', '`(?:secret|password|']],
  },
  {
    name: 'JSON of any number of values is built',
    file: 'src/base/foreign.ts',
    caughtBy: 'test/connectors/hostile-replies.test.ts',
    edits: [['if (holdsMoreValues(text, most))', 'if (text.length < 0 && holdsMoreValues(text, most))']],
  },
  {
    name: 'all replies together may take any memory',
    file: 'src/http/reply-memory.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [['return others === 0 || others + bytes <= this.bytes;', 'return others + bytes >= 0;']],
  },
  {
    name: 'large replies are all worked on at once',
    file: 'src/http/reply-memory.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [['(under > 0 && under + next.bytes > workBytes)', '(under > 0 && under < 0)']],
  },
  {
    name: 'a large reply counts no more a second after it has come',
    file: 'src/http/send-request.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [['if (request.held === undefined) share.endSoon();', 'if (request.signal === undefined) share.endSoon();']],
  },
  {
    name: 'a lane keeps its turn while another with little waits',
    file: 'src/deliver/read.ts',
    caughtBy: 'test/deliver/lanes.test.ts',
    edits: [
      [
        'other.taken + (other.isLight ? 0 : (slicesPerTurn - 1) * sliceBytes) < current.taken',
        'other.taken > Number.MAX_SAFE_INTEGER && current.taken < sliceBytes',
      ],
    ],
  },
  {
    name: 'a compressed reply that waits for memory waits for ever once it is given up',
    file: 'src/http/reply-memory.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [['for (const { go } of ended) go();', 'for (const { go } of ended.slice(ended.length)) go();']],
  },
  {
    name: 'every source works in every turn of the event loop',
    file: 'src/base/slices.ts',
    caughtBy: 'test/base/slices.test.ts',
    edits: [['const mine = last[queue].then(loopTurn);', 'const mine = loopTurn();']],
  },
  {
    name: 'what is delivered waits for a slice of everybody who collects',
    file: 'src/base/slices.ts',
    caughtBy: 'test/base/slices.test.ts',
    edits: [
      [
        'const mine = last[queue].then(loopTurn);\n  last[queue] = mine;',
        'const mine = last.others.then(loopTurn);\n  last.others = mine;',
      ],
    ],
  },
  {
    name: 'records that take long are examined without a pause',
    file: 'src/collect/examine.ts',
    caughtBy: 'test/collect/examine.test.ts',
    edits: [['isDue ? slices.turn() : slices.pause()', 'isDue ? slices.turn() : undefined']],
  },
  {
    name: 'a record of any number of values is mapped',
    file: 'src/connectors/record-rules.ts',
    caughtBy: 'test/connectors/record-rules.test.ts',
    edits: [['if (!holdsMoreValues(text, mostValues)) return undefined;', 'if (text.length > 0) return undefined;']],
  },
  {
    name: 'a reply may be compressed any number of times over',
    file: 'src/http/body.ts',
    caughtBy: 'test/http/open-http-client.test.ts',
    edits: [['if (encodings.length > 3)', 'if (encodings.length > 300)']],
  },
  {
    name: 'a code and a signature are no credentials',
    file: 'src/http/credentials.ts',
    caughtBy: 'test/http/reply-memory.test.ts',
    edits: [['|^code$|^sig$', '']],
  },
  {
    name: 'a request that names two hosts is answered',
    file: 'src/admin/server.ts',
    caughtBy: 'test/admin/server.test.ts',
    edits: [['return hosts.length > 1 ||', 'return hosts.length > 100 ||']],
  },
  {
    name: 'a decompressed reply may be of any size',
    file: 'src/http/body.ts',
    caughtBy: 'test/http/open-http-client.test.ts',
    edits: [
      ['if (chunk.length > left && !cut)', 'if (chunk.length < 0 && !cut)'],
      ['await decoded.append(chunk.subarray(0, left));\n      if (chunk.length > left) break;', 'await decoded.append(chunk);'],
      ['Math.min(this.#maxBytes, grown)', 'grown'],
    ],
  },
  {
    name: 'a link with two slashes names another host',
    file: 'src/connectors/http-window/links.ts',
    caughtBy: 'test/connectors/next-page.test.ts',
    edits: [['const url = new URL(request.origin);', 'const url = new URL(path, request.origin);']],
  },
  {
    name: 'a next page on another port gets the credential',
    file: 'src/connectors/http-window/links.ts',
    caughtBy: 'test/connectors/next-page.test.ts',
    edits: [['next.origin !== url.origin && page', 'next.hostname !== url.hostname && page']],
  },
  {
    name: 'a value of an option may lead the credential to another host',
    file: 'src/connectors/origin.ts',
    caughtBy: 'test/connectors/origin.test.ts',
    edits: [['if (/^[a-z0-9.-]+(:\\d+)?$/i.test(value)) return value;', 'if (value !== "") return value;']],
  },
  {
    name: 'a planted link in data_dir is followed',
    file: 'src/base/own-file.ts',
    caughtBy: 'test/base/own-file.test.ts',
    edits: [['const safely = O_NOFOLLOW | O_NONBLOCK;', 'const safely = O_NONBLOCK;']],
  },
  {
    name: 'a data_dir that every user can write is taken',
    file: 'src/base/own-folder.ts',
    caughtBy: 'test/base/own-folder.test.ts',
    edits: [["if ((stat.mode & 0o002) !== 0) return 'every user';", 'if ((stat.mode & 0o002) !== 0) return undefined;']],
  },
  {
    name: 'a web page of another site is answered',
    file: 'src/admin/access.ts',
    caughtBy: 'test/admin/server.test.ts',
    edits: [['headers.origin !== undefined && headers.origin !== own', 'headers.origin === "null" && headers.origin !== own']],
  },
  {
    name: 'connections that say nothing fill the admin port',
    file: 'src/admin/connections.ts',
    caughtBy: 'test/admin/server.test.ts',
    edits: [['if (open.size <= most) return;', 'if (open.size <= most * 100) return;']],
  },
  {
    name: 'a CSV file may name any number of columns',
    file: 'src/connectors/csv-directory/header.ts',
    caughtBy: 'test/connectors/csv-directory.test.ts',
    edits: [['if (cells.length > mostColumns) {', 'if (cells.length < 0) {']],
  },
  {
    name: 'the words of a receiver enter a dead letter as they are',
    file: 'src/deliver/apply.ts',
    caughtBy: 'test/sinks/echoed-secrets.test.ts',
    edits: [['return secrets.tell(text, longestText);', 'return secrets === undefined ? text : text;']],
  },
  {
    name: 'a field of a log line may be of any length',
    file: 'src/base/log.ts',
    caughtBy: 'test/base/log.test.ts',
    edits: [
      [
        'return harmless(clip(secrets.scrubStart(value, longestField), longestField));',
        'return harmless(secrets.scrubStart(value, 100_000));',
      ],
    ],
  },
];

const sources: readonly Mutant[] = [
  {
    name: 'a failure in a body with status 200 counts as an empty page',
    file: 'src/connectors/http-window/customary-failure.ts',
    caughtBy: 'test/connectors/failures.test.ts',
    edits: [['if (clear.has(name)) return !isNothing(value);', 'if (clear.has(name)) return false;']],
  },
  {
    name: 'a number that says yes ends the walk',
    file: 'src/connectors/http-window/reply.ts',
    caughtBy: 'test/connectors/next-page.test.ts',
    edits: [['return count > 0;', 'return false;']],
  },
  {
    name: 'a total of the vendor ends the walk at a full page',
    file: 'src/connectors/http-window/paging.ts',
    caughtBy: 'test/connectors/last-page.test.ts',
    edits: [['read >= total && count < largest', 'read >= total']],
  },
  {
    name: 'a path that leads to no next page ends the walk',
    file: 'src/connectors/http-window/full-page.ts',
    caughtBy: 'test/connectors/last-page.test.ts',
    edits: [['(header === undefined ? !has(reply)', '(header === undefined ? has(reply)']],
  },
  {
    name: 'a reply that may be cut off counts as whole',
    file: 'src/collect/windows/scan.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [
      [
        'if (page.mayBeCut === undefined || page.mayBeCut === false || isRefuted(memory, { state, count }, page)) return undefined;',
        'if (page.mayBeCut !== null || isRefuted(memory, { state, count }, page)) return undefined;',
      ],
    ],
  },
  {
    name: 'the smallest window that lacks records is read for ever',
    file: 'src/collect/windows/scan.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [['((isSmallest || lack.isOfAnySize === true) && !mayRescan)', '(isSmallest && false)']],
  },
  {
    name: 'what a vendor never showed leaves no trace',
    file: 'src/collect/memory/shortfalls.ts',
    caughtBy: 'test/collect/windows/shortfalls.test.ts',
    edits: [['if (touching.length === 0 && lacking === 0) return known;', 'if (touching.length === 0) return known;']],
  },
  {
    name: 'equal rows of one moment are one event',
    file: 'src/collect/examine.ts',
    caughtBy: 'test/collect/windows/equal-rows.test.ts',
    edits: [
      [
        'const occurrence = one.isNamedByContent === true ? this.#count(one) : 1;',
        'const occurrence = this.#counts.size === -1 ? this.#count(one) : 1;',
      ],
    ],
  },
  {
    name: 'a dead page token is sent for ever',
    file: 'src/connectors/http-window/judge.ts',
    caughtBy: 'test/connectors/refusal.test.ts',
    edits: [
      [
        "return at === 'cursor' ? 'PEN_PAGE_TOKEN_REFUSED' : 'PEN_WINDOW_TOO_LARGE';",
        "return at === 'cursor' ? 'PEN_SOURCE_REFUSED' : 'PEN_WINDOW_TOO_LARGE';",
      ],
    ],
  },
  {
    name: 'a date as the end of a rate limit silences a source for hours',
    file: 'src/connectors/http-window/budget-news.ts',
    caughtBy: 'test/connectors/budget.test.ts',
    edits: [['isUsedUp ? told : Math.min(told, longestMs)', 'told']],
  },
  {
    name: 'Retry-After is beaten by other news of the budget',
    file: 'src/connectors/http-window/budget-news.ts',
    caughtBy: 'test/connectors/budget.test.ts',
    edits: [
      [
        'if (asked !== undefined) return { pauseMs: asked };',
        'if (asked !== undefined && resetOf(headers, clock) === undefined) return { pauseMs: asked };',
      ],
    ],
  },
  {
    name: 'a 403 for the rate holds the source',
    file: 'src/connectors/http-window/judge.ts',
    caughtBy: 'test/connectors/refusal.test.ts',
    edits: [['isPassing(status) || (status === 403 && retryAfterMs !== undefined)', 'isPassing(status)']],
  },
  {
    name: 'requests wait by the wall clock',
    file: 'src/collect/budgets.ts',
    caughtBy: 'test/collect/budgets.test.ts',
    edits: [
      [/const now = this\.#clock\.monotonic\(\);\n {4}this\.#granted/, 'const now = this.#clock.now();\n    this.#granted'],
      ['this.#granted.push(this.#clock.monotonic());', 'this.#granted.push(this.#clock.now());'],
    ],
  },
  {
    name: 'a key in the query is missing on the next page',
    file: 'src/connectors/http-window/links.ts',
    caughtBy: 'test/connectors/next-page.test.ts',
    edits: [['if (!names.has(nameOf(pair))) url.search', 'if (names.has(nameOf(pair))) url.search']],
  },
  {
    name: 'a parameter is taken out of a link for its name',
    file: 'src/connectors/http-window/links.ts',
    caughtBy: 'test/connectors/next-page.test.ts',
    edits: [
      [
        '(pair) => !hidden.has(valueOf(pair))',
        '(pair) => !/signature|token|key/i.test(nameOf(pair)) && !hidden.has(valueOf(pair))',
      ],
    ],
  },
  {
    name: 'one raw control character makes a page unreadable',
    file: 'src/http/json-reply.ts',
    caughtBy: 'test/connectors/mended-json.test.ts',
    edits: [['(bare === text ? undefined : tried(bare)) ?? (yield* tryMended(bare))', 'bare === text ? undefined : tried(bare)']],
  },
  {
    name: 'a Date that stands still is a clock',
    file: 'src/collect/memory/vendor-clock.ts',
    caughtBy: 'test/collect/windows/vendor-clock.test.ts',
    edits: [
      [
        'const isFrozen = time <= lastTime && at - lastAt > standStillMs;',
        'const isFrozen = time < lastTime && at - lastAt > standStillMs;',
      ],
    ],
  },
  {
    name: 'an answered first page ends the failures of the pages behind it',
    file: 'src/collect/health.ts',
    caughtBy: 'test/collect/windows/failing-page.test.ts',
    edits: [['    this.#answered = true;\n', '    this.#answered = true;\n    this.#failures = 0;\n']],
  },
  {
    name: 'microseconds are no time',
    file: 'src/event/time.ts',
    caughtBy: 'test/event/time.test.ts',
    edits: [['while (ms >= secondsBelow * thousand && ms < beyondNanoseconds) ms /= thousand;', '']],
  },
  {
    name: 'one bad row takes those behind it along',
    file: 'src/connectors/csv-directory/bad-row.ts',
    caughtBy: 'test/connectors/csv-oddities.test.ts',
    edits: [['if (fieldsIn(line, delimiter) === fields) return', 'if (fieldsIn(line, delimiter) < 0) return']],
  },
  {
    name: 'equal rows of a file are counted anew where its table grows',
    file: 'src/connectors/csv-directory/occurrences.ts',
    caughtBy: 'test/connectors/csv-directory.test.ts',
    edits: [['if (count !== 0) this.#put(', 'if (count > 1) this.#put(']],
  },
];

const sinks: readonly Mutant[] = [
  {
    name: 'a connection that ends cleanly repeats what it took',
    file: 'src/sinks/syslog/stream.ts',
    caughtBy: 'test/sinks/syslog-stream.test.ts',
    edits: [
      ["if (ending.clean) return { kind: 'sent' };", "if (ending.clean) return { kind: 'uncertain', reason: ending.reason };"],
    ],
  },
  {
    name: 'a batch that times out again and again stays as it is',
    file: 'src/deliver/blame/narrow.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['return { ...decision, again: cut(batch.size), isNarrowed: true };', 'return decision;']],
  },
  {
    name: 'a limit that was learnt is forgotten with the next batch',
    file: 'src/deliver/blame/size-limits.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [
      [
        'const isFull = events * 2 > limit.most.events || bytes * 2 > limit.most.bytes;',
        'const isFull = true;\n    limit.most = unlimited;',
      ],
    ],
  },
  {
    name: 'an index that does not exist is the fault of each event',
    file: 'src/sinks/splunk-hec/answer.ts',
    caughtBy: 'test/conformance/hec-answers.test.ts',
    edits: [['  7: hold(indexFix),', '  7: badEvent,']],
  },
  {
    name: 'a sink that never took anything fills the dead letters first',
    file: 'src/deliver/hold/refusal-rate.ts',
    caughtBy: 'test/deliver/hold/refusal-rate.test.ts',
    edits: [['const fewestAtFirst = 3;', 'const fewestAtFirst = 20;']],
  },
  {
    name: 'one event of twenty is refused, and the sink holds',
    file: 'src/deliver/hold/refusal-rate.ts',
    caughtBy: 'test/deliver/hold/refusal-rate.test.ts',
    edits: [
      [
        'return count >= fewest && count > (this.#recent.length + 1) * above;',
        'return count > (this.#recent.length + 1) * above;',
      ],
    ],
  },
  {
    name: 'the frame that breaks a RELP session is not told',
    file: 'src/sinks/syslog/relp.ts',
    caughtBy: 'test/sinks/too-large-message.test.ts',
    edits: [
      [
        'const suspect = unanswered.length === 1 ? unanswered[0] : undefined;',
        'const suspect = unanswered.length === -1 ? unanswered[0] : undefined;',
      ],
    ],
  },
  {
    name: 'datagrams that nobody takes count as sent',
    file: 'src/sinks/syslog/udp.ts',
    caughtBy: 'test/sinks/syslog-udp.test.ts',
    edits: [["return verdict.kind === 'sent' ? { kind: 'uncertain', reason, blameless: true } : verdict;", 'return verdict;']],
  },
  {
    name: 'an IPv6 address goes to a proxy without brackets',
    file: 'src/http/connect.ts',
    caughtBy: 'test/http/tls.test.ts',
    edits: [
      [
        'isIPv6(target.hostname) ? `[${target.hostname}]` : target.hostname',
        'isIPv6(target.hostname) ? `${target.hostname}` : target.hostname',
      ],
    ],
  },
  {
    name: 'Retry-After of a 502 is not heard',
    file: 'src/sinks/exchange.ts',
    caughtBy: 'test/sinks/pauses.test.ts',
    edits: [
      [
        "if ((verdict.kind === 'uncertain' || verdict.kind === 'hold') && waitMs > 0)",
        "if (verdict.kind === 'hold' && waitMs > 0)",
      ],
    ],
  },
  {
    name: 'a dead letter of a bulk keeps the words around its cause',
    file: 'src/sinks/http/presets/bulk.ts',
    caughtBy: 'test/conformance/http.test.ts',
    edits: [['depth < deepestCause && isObject', 'depth < 0 && isObject']],
  },
  {
    name: 'a missing index is the fault of each event of a bulk',
    file: 'src/sinks/exchange.ts',
    caughtBy: 'test/sinks/first-holds.test.ts',
    edits: [
      [
        'if (found.length === 0 || (content.test(words) && !certain.test(words))) return false;',
        'if (found.length > 0 || certain.test(words)) return false;',
      ],
    ],
  },
  {
    name: 'an event that a receiver quotes holds the sink',
    file: 'src/sinks/exchange.ts',
    caughtBy: 'test/sinks/first-holds.test.ts',
    edits: [
      ['found.some((match) => !isQuoted(words, match, sent))', 'found.some((match) => isQuoted(words, match, sent) || true)'],
    ],
  },
  {
    name: 'each probe sends what a stranger answers',
    file: 'src/deliver/blame/doubt.ts',
    caughtBy: 'test/deliver/hold/holding.test.ts',
    edits: [['    return goes;', '    return true;']],
  },
  {
    name: 'a lone event is given up where the receiver takes nothing',
    file: 'src/deliver/blame/judge.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [
      ['  return untaken >= fewestUntaken || (isTried && untaken > 1);', '  return untaken > fewestUntaken * 1e6 && isTried;'],
    ],
  },
  {
    name: 'what a stop repeats behind a gap is not counted',
    file: 'src/deliver/loop.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['      lane.countOvertaken();\n', '']],
  },
  {
    name: 'what the next owner repeats behind a gap is not counted',
    file: 'src/deliver/context.ts',
    caughtBy: 'test/deliver/ownership.test.ts',
    edits: [['      lane.countOvertaken();\n', '']],
  },
  {
    name: 'an hour in which the receiver was away again and again counts as a good one',
    file: 'src/deliver/endpoints/endpoints.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['    this.#total.failed += 1;\n', '']],
  },
  {
    name: 'a receiver that an event broke has to make up for it before that event goes again',
    file: 'src/deliver/blame/given-up.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['failed: receiver.failed }, isFresh: false', 'failed: known.since.failed }, isFresh: false']],
  },
  {
    name: 'what was given up goes again as soon as anything is taken',
    file: 'src/deliver/blame/given-up.ts',
    caughtBy: 'test/deliver/blame/narrow.test.ts',
    edits: [['return hasRested(at, now) && passed', 'return passed']],
  },
  {
    name: 'limits are forgotten by a restart',
    file: 'src/deliver/blame/suspects.ts',
    caughtBy: 'test/deliver/copies.test.ts',
    edits: [["of entriesOf(note, 'limits', isLearnt)", "of entriesOf({}, 'limits', isLearnt)"]],
  },
  {
    name: 'polls for acknowledgements do not rest',
    file: 'src/sinks/splunk-hec/endpoint.ts',
    caughtBy: 'test/conformance/hec-acknowledgement.test.ts',
    edits: [['return Math.max(channel.restsUntil, due);', 'return Math.max(0, due);']],
  },
  {
    name: 'no acknowledgement in time counts as one',
    file: 'src/sinks/splunk-hec/acknowledge.ts',
    caughtBy: 'test/conformance/hec-acknowledgement.test.ts',
    edits: [
      [
        'for (const ackId of expired) settle(channel, ackId, { all: verdict });',
        "for (const ackId of expired) settle(channel, ackId, { all: { kind: 'accept' } });",
      ],
    ],
  },
  {
    name: 'a receiver that never acknowledges gets every batch for ever',
    file: 'src/deliver/send.ts',
    caughtBy: 'test/deliver/acknowledgements.test.ts',
    edits: [['const mostDoubts = 3;', 'const mostDoubts = 3000;']],
  },
];

const operators: readonly Mutant[] = [
  {
    name: 'nothing is missing, says verify, though much was never compared',
    file: 'src/operate/report/verify-page.ts',
    caughtBy: 'test/operate/report/verify-page.test.ts',
    edits: [['never_collected + not_comparable + not_shown > 0 ||', 'never_collected + not_comparable + not_shown < 0 ||']],
  },
  {
    name: 'a range from its end to its beginning collects nothing, and says done',
    file: 'src/cli/arguments.ts',
    caughtBy: 'test/cli/ranges.test.ts',
    edits: [
      ["  throw new PenstockError('PEN_USAGE', `--from ", "  if (from === to) throw new PenstockError('PEN_USAGE', `--from "],
    ],
  },
];

const hotPath: readonly Mutant[] = [
  {
    name: 'ids of a day are lost where its table grows',
    file: 'src/journal/sqlite/records/id-table.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['    rows.set(this.#rows);\n', '    rows.set(this.#rows.subarray(0, 65_536));\n']],
  },
  {
    name: 'two ids that begin alike are one',
    file: 'src/journal/sqlite/records/id-table.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['if (this.#isSame(start, words, at, idWords)) found', 'if (this.#isSame(start, words, at, idWords - 1)) found']],
  },
  {
    name: 'ids of blocks that were undone or deleted are still known',
    file: 'src/journal/sqlite/records/id-blocks.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['if (known.blocks !== stored) {', 'if (known.blocks < stored) {']],
  },
  {
    name: 'a damaged block of ids is trusted',
    file: 'src/journal/sqlite/records/id-blocks.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['if (!isWhole(block)) throw damagedBlock(block, path);', 'if (block.count < 0) throw damagedBlock(block, path);']],
  },
  {
    name: 'ids that are moved stay where their day was given up',
    file: 'src/journal/sqlite/records/id-blocks.ts',
    caughtBy: 'test/journal/ids.test.ts',
    edits: [['if (one(stands, block) === undefined) return false;', 'if (one(stands, block) === null) return false;']],
  },
];

const replicas: readonly Mutant[] = [
  {
    name: 'a slower answer takes the place of what was stored since',
    file: 'src/journal/postgres/names.ts',
    caughtBy: 'test/journal/owned-names.test.ts',
    edits: [['this.#reading.get(name) ?? this.#compare(name, member);', 'this.#compare(name, member);']],
  },
  {
    name: 'a source that changed hands is remembered as it was before',
    file: 'src/journal/postgres/names.ts',
    caughtBy: 'test/journal/owned-names.test.ts',
    edits: [['    if (!member.mayTake(name, found.epoch)) throw fencedError(name);\n', '']],
  },
  {
    name: 'a source that nobody with room knows stays without an owner',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/shares.test.ts',
    needs: 'postgres',
    edits: [['if (free === 0) return {', 'if (free === 0 || room <= 0) return {']],
  },
  {
    name: 'what others overtook of a source that is given back is not sent any more',
    file: 'src/deliver/attempt.ts',
    caughtBy: 'test/deliver/gaps.test.ts',
    edits: [[' || (open.isOvertaken && mayFinish(context, open.lane))', '']],
  },
  {
    name: 'what others may overtake at this moment of a source that is given back is not sent any more',
    file: 'src/deliver/lane.ts',
    caughtBy: 'test/deliver/gaps.test.ts',
    edits: [['Math.max(this.#takenUpTo, ...this.#underWay.values())', 'this.#takenUpTo']],
  },
  {
    name: 'all that was read of a source that is given back is sent first',
    file: 'src/deliver/attempt.ts',
    caughtBy: 'test/deliver/gaps.test.ts',
    edits: [['(open.isOvertaken && mayFinish(context, open.lane))', 'mayFinish(context, open.lane)']],
  },
  {
    name: 'a source is given back though something was taken behind what was not',
    file: 'src/deliver/context.ts',
    caughtBy: 'test/deliver/gaps.test.ts',
    edits: [[' || isOpen(lane));', ');']],
  },
  {
    name: 'a sink stops though something was taken behind what was not',
    file: 'src/deliver/loop.ts',
    caughtBy: 'test/deliver/gaps.test.ts',
    edits: [['some(({ hasGap, underWay }) => hasGap || underWay > 0)', 'some(({ underWay }) => underWay > 0)']],
  },
  {
    name: 'a sink that stops looks for gaps before what is under way was answered',
    file: 'src/deliver/loop.ts',
    caughtBy: 'test/deliver/gaps.test.ts',
    edits: [['some(({ hasGap, underWay }) => hasGap || underWay > 0)', 'some(({ hasGap }) => hasGap)']],
  },
  {
    name: 'a sink waits for a shared journal that answers, and holds one source only, as if it was away',
    file: 'src/deliver/journal-lag.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['this.#awaySince !== undefined && this.#lanes.answered <= this.#awaySince', 'this.#awaySince !== undefined']],
  },
  {
    name: 'a lane that was not written is tried together with all others',
    file: 'src/deliver/settle.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['    this.#waiting.delete(lane);\n    this.#failed.add(lane);\n', '    this.#waiting.add(lane);\n']],
  },
  {
    name: 'a sink sends on what a shared journal does not take the offset of',
    file: 'src/deliver/read.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [[' && !settler.isHeldUp(progress)', '']],
  },
  {
    name: 'a sink waits for a shared journal that is slow as if it was away',
    file: 'src/deliver/journal-lag.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['Math.max(answerMs, 2 * Math.min(...this.#took))', 'answerMs']],
  },
  {
    name: 'a sink that waits for a shared journal is not told that it answered',
    file: 'src/deliver/settle.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['if (isSlow) this.#changed.notify();', '']],
  },
  {
    name: 'a shared journal that was slow once is waited for long from then on',
    file: 'src/deliver/journal-lag.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['2 * Math.min(...this.#took)', '2 * Math.max(...this.#took)']],
  },
  {
    name: 'a replica that has less than others may have is left as it is',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/shares.test.ts',
    needs: 'postgres',
    edits: [['Math.min(lacking, countOf(own) - least)', 'Math.min(lacking, 0)']],
  },
  {
    name: 'what is free for a replica that lacks it is taken by one that has its least',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/shares.test.ts',
    needs: 'postgres',
    edits: [["lack <= 0 ? others('AND t.lack > 0') : ''", "''"]],
  },
  {
    name: 'more is sent than a shared journal has the offsets of',
    file: 'src/deliver/journal-lag.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['return isSlow || ', 'return underWay < inFlight || ']],
  },
  {
    name: 'a settler rests while nothing more is sent before it has written',
    file: 'src/deliver/settle.ts',
    caughtBy: 'test/deliver/slow-journal.test.ts',
    edits: [['    if (!mayBegin) this.#awaited.notify();\n', '']],
  },
  {
    name: 'who comes between a heartbeat and what follows from it is not waited for',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/shares.test.ts',
    needs: 'postgres',
    edits: [
      [
        'this.#share = await claim(sql, s, id, justLeft);',
        'this.#share = { ...(await claim(sql, s, id, justLeft)), members: seen.members };',
      ],
    ],
  },
  {
    name: 'what is free is left to a replica that does not come to claim it',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/shares.test.ts',
    needs: 'postgres',
    edits: [['WHERE room > 0 AND comes AND id <> $1', 'WHERE room > 0 AND id <> $1']],
  },
  {
    name: 'what nobody is configured with is left to a replica that does not come to claim it',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/shares.test.ts',
    needs: 'postgres',
    edits: [['OR n.unit IS NULL AND EXISTS (SELECT 1 FROM others t WHERE true ${which})', 'OR n.unit IS NULL']],
  },
  {
    name: 'a replica that hears no answers says on that it lives',
    file: 'src/journal/postgres/heartbeat.ts',
    caughtBy: 'test/journal/heartbeat.test.ts',
    edits: [['if (this.#unanswered >= mostUnanswered) await knock(this.#db);', '']],
  },
  {
    name: 'a replica whose claims fail says that it comes for more',
    file: 'src/journal/postgres/heartbeat.ts',
    caughtBy: 'test/journal/heartbeat.test.ts',
    edits: [['const comes = !this.#hasFailed && ', 'const comes = ']],
  },
  {
    name: 'a replica takes what another owns',
    file: 'src/journal/postgres/shares.ts',
    caughtBy: 'test/journal/replicas-model.test.ts',
    needs: 'postgres',
    edits: [["const isFree = '(u.owner IS NULL OR u.owner NOT IN (SELECT id FROM live))';", "const isFree = '(true)';"]],
  },
  {
    name: 'a commit that is asked again is another one',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'test/journal/replicas-model.test.ts',
    needs: 'postgres',
    edits: [['const { attempt = newAttempt() } = commit;', 'const attempt = newAttempt();']],
  },
  {
    name: 'a replica goes by the clock of its machine',
    file: 'src/journal/postgres/journal-time.ts',
    caughtBy: 'test/journal/membership.test.ts',
    edits: [['    else if (Math.abs(ms - was) >= unsteadyMs) this.#ms = ms;\n', '']],
  },
  {
    name: 'a replica writes after another took its source over',
    file: 'src/journal/postgres/core.ts',
    caughtBy: 'test/journal/ownership.test.ts',
    needs: 'postgres',
    edits: [
      [
        ' AND u.owner = ${values.add(source.owner)} AND u.epoch = ${values.add(source.epoch)} FOR SHARE OF u)`;',
        ' FOR SHARE OF u)`;',
      ],
    ],
  },
  {
    name: 'a commit whose answer was lost is stored twice in PostgreSQL',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'test/journal/contract.test.ts',
    needs: 'postgres',
    edits: [[' AND NOT ${attemptId} = ANY(c.attempts) RETURNING c.source)`', ' RETURNING c.source)`']],
  },
  {
    name: 'a settle whose answer was lost counts twice in PostgreSQL',
    file: 'src/journal/postgres/offsets.ts',
    caughtBy: 'test/journal/contract.test.ts',
    needs: 'postgres',
    edits: [['  if (done) return false;\n', '']],
  },
  {
    name: 'a commit goes on behind records that a fail-over lost',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'test/journal/ownership.test.ts',
    needs: 'postgres',
    edits: [["\n    AND l.appended = ${values.add(before, 'bigint')} FOR UPDATE OF l)`", ' FOR UPDATE OF l)`']],
  },
  {
    name: 'what was read ahead of a lane is handed out under another ownership',
    file: 'src/journal/postgres/lane-reads.ts',
    caughtBy: 'test/journal/ownership.test.ts',
    needs: 'postgres',
    edits: [['kept.owned !== owned || ', '']],
  },
  {
    name: 'a large page behind deleted ones is passed over',
    file: 'src/journal/postgres/lane-reads.ts',
    caughtBy: 'test/journal/lane-reads.test.ts',
    needs: 'postgres',
    edits: [['    if (cut === 0) return this.#fetch(place, after, 1, Number.MAX_SAFE_INTEGER);\n', '']],
  },
  {
    name: 'commits without records of several sources are stored past their fences',
    file: 'src/journal/postgres/quiet.ts',
    caughtBy: 'test/journal/quiet.test.ts',
    needs: 'postgres',
    edits: [[' AND u.owner = a.owner AND u.epoch = a.epoch', '']],
  },
  {
    name: 'a commit without records waits for the rows of another source',
    file: 'src/journal/postgres/quiet.ts',
    caughtBy: 'test/journal/quiet.test.ts',
    needs: 'postgres',
    edits: [['FOR UPDATE OF l, c SKIP LOCKED', 'FOR UPDATE OF l, c']],
  },
  {
    name: 'a commit without records whose answer was lost is stored twice in PostgreSQL',
    file: 'src/journal/postgres/quiet.ts',
    caughtBy: 'test/journal/contract.test.ts',
    needs: 'postgres',
    edits: [[' AND NOT a.attempt = ANY(c.attempts)', '']],
  },
  {
    name: 'a commit without records goes on behind records that a fail-over lost',
    file: 'src/journal/postgres/quiet.ts',
    caughtBy: 'test/journal/ownership.test.ts',
    needs: 'postgres',
    edits: [[' AND l.appended = f.before', '']],
  },
  {
    name: 'what the database has against one commit without records fails those of other sources',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'test/journal/quiet.test.ts',
    needs: 'postgres',
    edits: [['      if (isLost(error)) throw error;\n', '      throw error;\n']],
  },
  {
    name: 'the window of a poll with nothing new lets ids of its days expire',
    file: 'src/journal/postgres/quiet.ts',
    caughtBy: 'test/journal/quiet.test.ts',
    needs: 'postgres',
    edits: [['d.day BETWEEN a.first_day AND a.last_day', 'd.day BETWEEN a.last_day AND a.last_day']],
  },
  {
    name: 'a commit is asked again under an ownership that came later',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'test/journal/ownership.test.ts',
    needs: 'postgres',
    edits: [['const isOurs = isSameOwnership(first, source);', 'const isOurs = true;']],
  },
  {
    name: 'an answer after the lease gives a source back',
    file: 'src/journal/postgres/membership.ts',
    caughtBy: 'test/journal/membership.test.ts',
    edits: [['    if (!this.lease.isValid) return;\n', '']],
  },
  {
    name: 'a sink goes on with a source that another process owns',
    file: 'src/deliver/attempt.ts',
    caughtBy: 'test/deliver/ownership.test.ts',
    edits: [['if (!isLaneOurs(context, lane)) return prepared.every(', 'if (lane === undefined) return prepared.every(']],
  },
  {
    name: 'a source is given back while it is being delivered',
    file: 'src/journal/postgres/membership.ts',
    caughtBy: 'test/journal/ownership.test.ts',
    needs: 'postgres',
    edits: [
      [
        "for (const unit of going) this.#leaving.set(unit, 'ending');",
        "for (const unit of going) this.#leaving.set(unit, 'ended');",
      ],
    ],
  },
];

/** The faults, and which test file notices each. */
export const mutantsOfTests: readonly Mutant[] = [...security, ...sources, ...sinks, ...operators, ...hotPath, ...replicas];
