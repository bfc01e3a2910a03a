// A model of the database that replicas share: rows of members, units and registrations, attempts, and a disk in memory that passes the contract
// suite of the journal, as the engine over the model does.
//
// What runs over it is the real code of src/journal/postgres wherever an order of events matters: Membership with its lease, the names with what
// is remembered of owned sources, append, settle, the look for changes. The model knows their statements by what is special in each, takes
// their values from where the text puts them, and honours a fence exactly as far as the text says it: a statement that lacks the owner or the
// epoch is not held back by it here either. A statement that the model does not know is a problem of the run, never an answer.
//
// Left out, because no order of events is in it: ids that were seen, and what rows of letters hold (the disk in memory has them). A transaction
// happens at one moment of the server, as its locks make it look to everybody else.
import type { Journal } from '../../../src/journal/journal.ts';
import { lanesOf, settle as settleOnDisk } from '../../journal/memory/delivery.ts';
import { emptyDisk, laneKey, type MemoryDisk } from '../../journal/memory/disk.ts';
import { openMemoryJournal, store } from '../../journal/memory/journal.ts';
import { jobStatements } from './jobs.ts';
import { Pages } from './pages.ts';
import { registrationStatements } from './registrations.ts';
import { type Asker, type Auditor, done, kinds, type Row, type Shared, type Statement, type Values, valueIn } from './tables.ts';

export interface Unit {
  readonly id: number;
  readonly source: string;
  owner: string | null;
  epoch: number;
}

interface Member {
  readonly id: string;
  /** Of its replica. */
  readonly name: string;
  /** How often one of its name joined before: ids are random, and what follows from them is not to be. */
  readonly order: string;
  expires: number;
  /** When it was last heard of as one who comes to claim. */
  seen: number;
  /** `source name`, `sink name`. */
  registered: ReadonlySet<string>;
}

/** As the statements have it. */
const longestPauseMs = 5_000;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

export class SharedServer {
  readonly disk: MemoryDisk;
  /** The journal as somebody beside it sees it, without a network between. */
  readonly journal: ReturnType<typeof openMemoryJournal>;
  readonly units: Unit[] = [];
  readonly pages: Pages;
  readonly #members = new Map<string, Member>();
  readonly #joined = new Map<string, number>();
  readonly #attempts = new Map<string, string[]>();
  readonly #now: () => number;
  readonly #auditor: Auditor;
  readonly #statements: readonly Statement[];
  #changes = 0;
  #names = 0;

  constructor(now: () => number, auditor: Auditor) {
    this.#now = now;
    this.#auditor = auditor;
    this.disk = emptyDisk({ strict: true, now });
    this.journal = openMemoryJournal(this.disk);
    const shared = this.#shared();
    this.pages = new Pages(shared);
    this.#statements = [
      ...jobStatements(shared),
      ...registrationStatements(shared, this.pages),
      ...this.#ownStatements,
      ...this.pages.statements,
      // The disk in memory did these with the offset.
      ['p.dead_letters', () => []],
    ];
  }

  now(): number {
    return this.#now();
  }

  /** The journal for a command beside the replicas: what it leaves, they hear of. */
  get beside(): Journal {
    const { journal } = this;
    const insertJob: Journal['insertJob'] = (...args) => {
      this.#changes += 1;
      return journal.insertJob(...args);
    };
    const cancelJob: Journal['cancelJob'] = (id) => {
      this.#changes += 1;
      return journal.cancelJob(id);
    };
    return { ...journal, insertJob, cancelJob };
  }

  #shared(): Shared {
    return {
      disk: this.disk,
      auditor: this.#auditor,
      now: () => this.#now(),
      isAlive: (id) => this.#isAlive(id),
      ownerOf: (source) => this.ownerOf(source),
      sources: () => this.units,
      sourceOf: (id) => this.#sourceOf(id),
      sinkOf: (id) => this.#sinkOf(id),
      sinkId: (name) => [...this.disk.sinks.keys()].indexOf(name) + 1,
      isDone: (key, attempt) => this.#isDone(key, attempt),
      noteAttempt: (key, attempt) => this.#noteAttempt(key, attempt),
      addUnit: (source) => this.#addUnit(source),
      isNamed: (kind, name, text) => this.isNamed(kind, name, text.includes('WHERE m.expires > now() OR (m.expires <= now()')),
      lives: (replica) => [...this.#members.values()].some(({ id, name }) => name === replica && this.#isAlive(id)),
    };
  }

  ownerOf(source: string): string | null {
    return this.units.find((unit) => unit.source === source)?.owner ?? null;
  }

  /** Whether a member that lives has it enabled; `orMissing`: or disabled, and one that is missing counts. */
  isNamed(kind: 'source' | 'sink', name: string, orMissing = false): boolean {
    const isNamed = ({ registered }: Member): boolean =>
      registered.has(`${kind} ${name}`) || (orMissing && registered.has(`disabled ${kind} ${name}`));
    const named = [...this.#members.values()].filter(isNamed);
    return named.some((member) => this.#isAlive(member.id) || (orMissing && this.#isMissing(member)));
  }

  #isMissing({ id, name }: Member): boolean {
    return !this.#isAlive(id) && ![...this.#members.values()].some((other) => other.name === name && this.#isAlive(other.id));
  }

  #addUnit(source: string): boolean {
    const isKnown = this.units.some((unit) => unit.source === source);
    if (!isKnown) this.units.push({ id: this.units.length + 101, source, owner: null, epoch: 0 });
    return !isKnown;
  }

  /** Does what a statement says. */
  answer(text: string, values: Values, asker: Asker): readonly Row[] {
    const handler = this.#statements.find(([mark]) => text.includes(mark))?.[1];
    if (handler === undefined) {
      this.#auditor.problem(`the model of the database does not know the statement ${text.slice(0, 300)}`);
      throw new TypeError('unknown statement');
    }
    return handler(values, text, asker);
  }

  readonly #ownStatements: readonly Statement[] = [
    ['UPDATE p.meta SET changes', (_values, text) => this.#change(text)],
    ['WITH beat AS (UPDATE', (values, text, asker) => [this.#beat(values, text, asker)]],
    ['asked AS MATERIALIZED', (values, text, asker) => this.#appendAll(values, text, asker)],
    ['counted AS (UPDATE', (values, text, asker) => [this.#append(values, text, asker)]],
    ['moved AS (UPDATE', (values, text, asker) => this.#settleSimply(values, text, asker)],
    ['SELECT id FROM fence', (values, text) => (this.#isFenced(values, text) ? [] : [{ id: 1 }])],
    ['SELECT 1 AS heard', () => [{ heard: 1 }]],
    ['UPDATE p.units u SET owner = $1, epoch = u.epoch + 1', (values) => this.#claim(values)],
    ['AS units, (SELECT count(*) FROM working)', ([id]) => [this.#share(String(id))]],
    ['SELECT o.name AS source, u.id AS unit', ([id]) => this.#owned(String(id))],
    ['SELECT (SELECT count(*) FROM live l WHERE', ([id]) => [this.#glance(String(id))]],
    ['UPDATE p.units SET owner = NULL, since = now() WHERE id IN', ([ids, id]) => this.#giveBack(ids as number[], String(id))],
    ['UPDATE p.units SET owner = NULL, since = now() WHERE owner = $1', ([id]) => this.#giveBack(undefined, String(id))],
    ['UPDATE p.units SET epoch = epoch + 1 WHERE id = $1', (values) => this.#renew(values)],
    ['DELETE FROM p.registrations r WHERE NOT EXISTS', () => []],
    ['DELETE FROM p.registrations WHERE member', ([id], text) => this.#forgetRegistered(String(id), text)],
    ['INSERT INTO p.registrations', ([id, of, names]) => this.#registers(String(id), named(of as string[], names as string[]))],
    ['DELETE FROM p.members WHERE expires', ([name]) => this.#forgetDead(String(name))],
    // No more replicas come than began.
    ['DELETE FROM p.members WHERE id = (SELECT', () => []],
    // The clock of the server goes on.
    ['UPDATE p.members SET expires = now(), seen = least', () => []],
    ["UPDATE p.members SET expires = '-infinity'", ([id]) => done(Number(this.#members.delete(String(id))))],
    ['INSERT INTO p.members', (values, _text, asker) => this.#join(values, asker)],
    ['SELECT version, min_reader, moved FROM p.meta', () => []],
    [') AS named', ([kind, name]) => [{ named: this.isNamed(kind as 'source' | 'sink', String(name)) }]],
    ['SELECT changes, names FROM p.meta', () => [{ changes: this.#changes, names: this.#names }]],
    ['SELECT id, name FROM p.sources WHERE name', ([names]) => this.#sourceIds(names as string[])],
    ['SELECT id, name FROM p.sinks WHERE name', ([names]) => this.#sinkIds(names as string[])],
    ['SELECT o.name, o.id, u.id AS unit', ([names, owner]) => this.#places(names as string[], String(owner))],
    ['SELECT id FROM p.sources WHERE name', ([name]) => this.#sourceIds([String(name)])],
    ["INSERT INTO p.units (kind, name) VALUES ('source'", ([name]) => done(Number(this.#addUnit(String(name))))],
    ['INSERT INTO p.sources (name, unit)', () => []],
    ['INSERT INTO p.counters (source)', () => []],
    ['INSERT INTO p.lanes (source, kind)', () => []],
    ['SET owner = $2, epoch = epoch + 1, since = now() FROM p.sources o', (values) => this.#take(values)],
    ['SELECT u.id AS unit, u.epoch FROM p.sources', ([id, owner]) => this.#unitsOf(id as number, String(owner))],
    [
      'SELECT kind, appended FROM p.lanes',
      ([id]) => kinds.map((of, kind) => ({ kind, appended: this.#end(this.#sourceOf(id), of) })),
    ],
    [
      'SELECT $2::uuid = ANY(attempts) AS done',
      ([id, attempt]) => [{ done: this.#isDone(`append ${this.#sourceOf(id)}`, attempt) }],
    ],
    [
      'SELECT k.name AS sink, EXISTS',
      ([sinks, owner, sources]) => this.#lanes(sinks as string[], owner, sources as string[] | null),
    ],
    ['INSERT INTO p.offsets (sink, source, kind) VALUES', () => []],
    ['SELECT o.position AS at, o.passed', (values) => [this.#offset(values)]],
    ['UPDATE p.offsets o SET position = greatest', (values, _text, asker) => this.#settle(values, asker)],
  ];

  #change(text: string): Row[] {
    this.#changes += 1;
    if (text.includes('names = names + 1')) this.#names += 1;
    return done(1);
  }

  #isAlive(id: string | null): boolean {
    const member = id === null ? undefined : this.#members.get(id);
    return member !== undefined && member.expires > this.#now();
  }

  #working(): Member[] {
    return [...this.#members.values()].filter(({ id, registered }) => this.#isAlive(id) && registered.size > 0);
  }

  /** Those of the others who come to claim. */
  #coming(id: string): Member[] {
    return this.#working().filter((member) => member.id !== id && member.seen > this.#now() - longestPauseMs);
  }

  #owns(unit: Unit, owner: string | null, isMore = true): void {
    unit.owner = owner;
    if (isMore && owner !== null) unit.epoch += 1;
    this.#auditor.onOwner(unit.source, owner);
  }

  #beat([id, lease, comes]: Values, text: string, { process, wall }: Asker): Row {
    const seen = this.#glance(String(id));
    const member = this.#members.get(String(id));
    const alive = this.#isAlive(String(id));
    if (alive && member !== undefined) {
      const from = text.includes('SET expires = now() +') ? this.#now() : wall;
      member.expires = from + Number.parseInt(String(lease), 10);
      if (comes === true) member.seen = this.#now();
      this.#auditor.onHeard(process);
    }
    return { alive, now: Math.floor(this.#now()), changes: this.#changes, ...seen };
  }

  #glance(id: string): Row {
    const mine = this.units.filter(({ owner }) => owner === id);
    return {
      members: this.#coming(id).length + Number(this.#working().some((member) => member.id === id)),
      names: this.#names,
      free: this.units.some(({ owner }) => !this.#isAlive(owner)),
      have: mine.length,
      epochs: sum(mine.map(({ epoch }) => epoch)),
    };
  }

  /** Members that work and could have the unit. */
  #namers({ source }: Unit): Member[] {
    return this.#working().filter(({ registered }) => registered.has(`source ${source}`));
  }

  /** How many units the member is to own; a part of one is one more at most, and none at least. */
  #partsOf(member: Member): number {
    const parts = this.units.map((unit) => {
      const namers = this.#namers(unit);
      if (namers.length === 0) return 1 / Math.max(1, this.#working().length);
      return namers.includes(member) ? 1 / namers.length : 0;
    });
    return Math.round(sum(parts) * 1e6) / 1e6;
  }

  #haveOf(member: Member): number {
    return this.units.filter(({ owner }) => owner === member.id).length;
  }

  #roomOf(member: Member): number {
    return Math.ceil(this.#partsOf(member)) - this.#haveOf(member);
  }

  #lackOf(member: Member): number {
    return Math.floor(this.#partsOf(member)) - this.#haveOf(member);
  }

  /** Who else comes to take more, and could take the unit. */
  #takers(unit: Unit, id: string): Member[] {
    const namers = this.#namers(unit);
    return this.#coming(id).filter((member) => (namers.length === 0 || namers.includes(member)) && this.#roomOf(member) > 0);
  }

  #lackingOf(unit: Unit, id: string): number {
    return sum(this.#takers(unit, id).map((member) => Math.max(0, this.#lackOf(member))));
  }

  #couldTake(unit: Unit, id: string): boolean {
    const namers = this.#namers(unit);
    return namers.length === 0 || namers.some((member) => member.id === id);
  }

  #share(id: string): Row {
    const me = this.#working().find((member) => member.id === id);
    const mine = this.units.filter((unit) => this.#couldTake(unit, id));
    return {
      units: mine.length,
      working: this.#working().length,
      members: this.#glance(id)['members'],
      names: this.#names,
      want: me === undefined ? 0 : Math.ceil(this.#partsOf(me)),
      least: me === undefined ? 0 : Math.floor(this.#partsOf(me)),
      room: me === undefined ? 0 : this.#roomOf(me),
      lack: me === undefined ? 0 : this.#lackOf(me),
      othersLack: this.#coming(id).some((member) => this.#roomOf(member) > 0 && this.#lackOf(member) > 0),
      free: mine.filter(({ owner }) => !this.#isAlive(owner)).length,
    };
  }

  #claim([id, limit, justLeft]: Values): Row[] {
    const me = String(id);
    const { room, lack } = this.#share(me) as { room: number; lack: number };
    const isMeant = (unit: Unit): boolean =>
      room <= 0 ? this.#takers(unit, me).length === 0 : lack > 0 || this.#lackingOf(unit, me) === 0;
    const free = this.units
      .filter((unit) => !this.#isAlive(unit.owner) && this.#couldTake(unit, me) && isMeant(unit))
      .filter((unit) => !(justLeft as number[]).includes(unit.id));
    const own = this.#members.get(me)?.order ?? me;
    const places = new Map(free.map((unit) => [unit, hashOf(`${unit.source}${own}`)]));
    const taken = free.sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0)).slice(0, Number(limit));
    for (const unit of taken) this.#owns(unit, me);
    return done(taken.length);
  }

  #owned(id: string): Row[] {
    const free = this.units.filter(({ owner }) => !this.#isAlive(owner)).length;
    return this.units
      .filter(({ owner }) => owner === id)
      .map((unit) => {
        const namers = this.#namers(unit);
        return {
          source: unit.source,
          unit: unit.id,
          epoch: unit.epoch,
          isOthers: namers.length > 0 && !namers.some((member) => member.id === id),
          replicas: namers.length === 0 ? null : namers.length,
          isWanted: this.#takers(unit, id).length > 0,
          lacking: Math.max(0, this.#lackingOf(unit, id) - free),
        };
      });
  }

  #giveBack(ids: readonly number[] | undefined, id: string): Row[] {
    const given = this.units.filter((unit) => unit.owner === id && ids?.includes(unit.id) !== false);
    for (const unit of given) this.#owns(unit, null);
    return done(given.length);
  }

  #renew([id, owner, epoch]: Values): Row[] {
    const unit = this.units.find((one) => one.id === id && one.owner === owner && one.epoch === epoch);
    if (unit !== undefined) unit.epoch += 1;
    return done(unit === undefined ? 0 : 1);
  }

  #forgetRegistered(id: string, text: string): Row[] {
    const isMeant = (member: Member): boolean => !text.endsWith('WHERE member = $1') || member.id === id;
    for (const member of this.#members.values()) if (isMeant(member)) member.registered = new Set();
    return [];
  }

  #registers(id: string, registered: readonly string[]): Row[] {
    const member = this.#members.get(id);
    if (member !== undefined) member.registered = new Set(registered);
    return [];
  }

  #forgetDead(of: string): Row[] {
    const gone = [...this.#members.values()].filter(({ id, name }) => name === of && !this.#isAlive(id));
    for (const { id } of gone) this.#members.delete(id);
    return gone.map(({ name }) => ({ name }));
  }

  #join([id, name, lease]: Values, { process }: Asker): Row[] {
    const times = (this.#joined.get(String(name)) ?? 0) + 1;
    this.#joined.set(String(name), times);
    const expires = this.#now() + Number.parseInt(String(lease), 10);
    this.#members.set(String(id), {
      id: String(id),
      name: String(name),
      order: `${String(name)} ${times}`,
      expires,
      seen: this.#now(),
      registered: new Set(),
    });
    this.#auditor.onJoined(String(id), process);
    this.#auditor.onHeard(process);
    return done(1);
  }

  /** Sources have the id of their unit, sinks their place. */
  #sourceIds(names: readonly string[]): Row[] {
    return this.units.filter(({ source }) => names.includes(source)).map(({ id, source }) => ({ id, name: source }));
  }

  #sinkIds(names: readonly string[]): Row[] {
    return [...this.disk.sinks.keys()].flatMap((name, index) => (names.includes(name) ? [{ id: index + 1, name }] : []));
  }

  #sourceOf(id: unknown): string {
    return this.units.find((unit) => unit.id === id)?.source ?? '';
  }

  #sinkOf(id: unknown): string {
    return [...this.disk.sinks.keys()][Number(id) - 1] ?? '';
  }

  #end(source: string, kind: 'live' | 'backfill'): number {
    return this.disk.lanes.get(laneKey({ kind, source }))?.length ?? 0;
  }

  #places(names: readonly string[], owner: string): Row[] {
    return this.units
      .filter((unit) => names.includes(unit.source) && unit.owner === owner)
      .flatMap(({ id, source, epoch }) =>
        kinds.map((of, kind) => ({ name: source, id, unit: id, epoch, kind, appended: this.#end(source, of) })),
      );
  }

  #unitsOf(id: number, owner: string): Row[] {
    return this.units.filter((unit) => unit.id === id && unit.owner === owner).map(({ epoch }) => ({ unit: id, epoch }));
  }

  #take([id, owner]: Values): Row[] {
    const unit = this.units.find((one) => one.id === id);
    if (unit === undefined || unit.owner === owner || this.#isAlive(unit.owner) || !this.#isAlive(String(owner))) return [];
    this.#owns(unit, String(owner));
    return done(1);
  }

  #lanes(sinks: readonly string[], owner: unknown, sources: readonly string[] | null): Row[] {
    return sinks
      .filter((sink) => this.disk.sinks.has(sink))
      .flatMap((sink) => {
        const rows = lanesOf(this.disk, sink)
          .filter(({ lane }) => lane.kind !== 'replay' && (owner === null || this.ownerOf(lane.source) === owner))
          .filter(({ lane }) => sources?.includes(lane.source) !== false)
          .map(({ lane, offset, pending, oldestReceived }) => ({
            name: lane.source,
            kind: kinds.indexOf(lane.kind as 'live'),
            appended: offset + pending,
            offset,
            oldest: oldestReceived ?? null,
          }));
        const none = { name: null, kind: 0, appended: 0, offset: 0, oldest: null };
        const replays = this.disk.replays.some((one) => one.sink === sink && one.offset < one.entries.length);
        return (rows.length === 0 ? [none] : rows).map((row) => ({ sink, replays, ...row }));
      });
  }

  /** True where the fence of a statement holds it back; one without a fence is held back by nothing. */
  #isFenced(values: Values, text: string): boolean {
    const id = valueIn(text, values, /u\.id = \$(\d+)/);
    if (id === undefined) return false;
    const owner = valueIn(text, values, /u\.owner = \$(\d+)/);
    const epoch = valueIn(text, values, /u\.epoch = \$(\d+)/);
    const isHeld = (unit: Unit): boolean =>
      unit.id === id && (owner === undefined || unit.owner === owner) && (epoch === undefined || unit.epoch === epoch);
    return !this.units.some(isHeld);
  }

  #isDone(key: string, attempt: unknown): boolean {
    return this.#attempts.get(key)?.includes(String(attempt)) === true;
  }

  #noteAttempt(key: string, attempt: unknown): void {
    this.#attempts.set(key, [...(this.#attempts.get(key) ?? []), String(attempt)].slice(-7));
  }

  #append(values: Values, text: string, asker: Asker): Row {
    if (this.#isFenced(values, text)) return { fence: 0, counted: 0 };
    const source = this.#sourceOf(valueIn(text, values, /l\.source = \$(\d+)/));
    const kind = kinds[Number(valueIn(text, values, /l\.kind = \$(\d+)/))] ?? 'live';
    const attempt = valueIn(text, values, /NOT \$(\d+)\S* = ANY\(c\.attempts\)/);
    const before = valueIn(text, values, /l\.appended = \$(\d+)/);
    const [bytes, ids] = [/ bytes = c\.bytes \+ \$(\d+)/, / ids = c\.ids \+ \$(\d+)/].map((of) =>
      Number(valueIn(text, values, of) ?? 0),
    );
    return { fence: 1, counted: this.#store(source, { kind, attempt, before, bytes, ids }, asker) };
  }

  /** Commits of many sources: each is held back by as much as the text says. */
  #appendAll(values: Values, text: string, asker: Asker): Row[] {
    const names = / AS a\(([^)]*)\)/.exec(text)?.[1]?.split(', ') ?? [];
    const lists = /unnest\(([^)]*)\) AS a\(/.exec(text)?.[1]?.split(', ') ?? [];
    const column = (name: string): Values => {
      const number = /\$(\d+)/.exec(lists[names.indexOf(name)] ?? '')?.[1];
      return values[Number(number) - 1] as Values;
    };
    const [ids, units, owners, epochs] = ['source', 'unit', 'owner', 'epoch'].map(column) as [Values, Values, Values, Values];
    return ids.flatMap((id, index) => {
      const isHeld = (unit: Unit): boolean =>
        unit.id === units[index] &&
        (!text.includes('u.owner = a.owner') || unit.owner === owners[index]) &&
        (!text.includes('u.epoch = a.epoch') || unit.epoch === epochs[index]);
      if (!this.units.some(isHeld)) return [];
      const attempt = column('attempt')[index];
      const kind = kinds[Number(column('kind')[index])] ?? 'live';
      const said = { kind, attempt, before: column('before')[index] };
      return this.#store(this.#sourceOf(id), said, asker) === 0 ? [] : [{ attempt }];
    });
  }

  /** How many commits were stored: none where the lane is elsewhere, or the attempt was done before. */
  #store(
    source: string,
    said: {
      readonly kind: 'live' | 'backfill';
      readonly attempt: unknown;
      readonly before: unknown;
      readonly bytes?: number | undefined;
      readonly ids?: number | undefined;
    },
    { process, offered }: Asker,
  ): 0 | 1 {
    const before = this.#end(source, said.kind);
    const commit = offered.commit(source);
    if (said.before !== before || this.#isDone(`append ${source}`, said.attempt) || commit === undefined) return 0;
    this.#noteAttempt(`append ${source}`, said.attempt);
    store(this.disk, commit);
    this.pages.stored(commit, before, said.bytes ?? 0, said.ids ?? 0);
    this.#auditor.onStored(process, this.ownerOf(source), commit, before);
    return 1;
  }

  #settleSimply(values: Values, text: string, asker: Asker): Row[] {
    if (this.#isFenced(values, text)) return [];
    const sink = this.#sinkOf(valueIn(text, values, /o\.sink = \$(\d+)/));
    const source = this.#sourceOf(valueIn(text, values, /o\.source = \$(\d+)/));
    const kind = kinds[Number(valueIn(text, values, /o\.kind = \$(\d+)/))] ?? 'live';
    const end = Number(valueIn(text, values, /SET position = \$(\d+)/));
    const covered = Number(valueIn(text, values, /o\.position \+ \$(\d+)/));
    const attempt = valueIn(text, values, /NOT \$(\d+)\S* = ANY\(o\.attempts\)/);
    const at = this.#at(sink, source, kind);
    const key = `settle ${sink} ${source} ${kind}`;
    // Where there is no row, registration has not set one: the transaction makes it.
    const isKnown = this.disk.offsets.has(`${sink} ${laneKey({ kind, source })}`);
    if (!isKnown || at + covered !== end || at >= end || this.#isDone(key, attempt) || end > this.#end(source, kind)) return [];
    return this.#settleAs(sink, source, kind, attempt, asker);
  }

  #at(sink: string, source: string, kind: 'live' | 'backfill'): number {
    return this.disk.offsets.get(`${sink} ${laneKey({ kind, source })}`) ?? 0;
  }

  #offset([sinkId, sourceId, kindId, attempt]: Values): Row {
    const [sink, source, kind] = [this.#sinkOf(sinkId), this.#sourceOf(sourceId), kinds[Number(kindId)] ?? 'live'];
    const isDone = this.#isDone(`settle ${sink} ${source} ${kind}`, attempt);
    const passed = this.pages.passed.get(`${sink} ${laneKey({ kind, source })}`) ?? 0;
    return { at: this.#at(sink, source, kind), passed, done: isDone, appended: this.#end(source, kind) };
  }

  #settle([sinkId, sourceId, kindId, _upTo, late, attempt]: Values, asker: Asker): Row[] {
    const [sink, source, kind] = [this.#sinkOf(sinkId), this.#sourceOf(sourceId), kinds[Number(kindId)] ?? 'live'];
    return this.#settleAs(sink, source, kind, attempt, asker, Number(late));
  }

  /** `late`: so many of the records were passed before for another reason. */
  #settleAs(
    sink: string,
    source: string,
    kind: 'live' | 'backfill',
    attempt: unknown,
    { process, offered }: Asker,
    late = 0,
  ): Row[] {
    const settlement = offered.settlement(sink, { kind, source });
    if (settlement === undefined) return [];
    const from = this.#at(sink, source, kind);
    const key = `${sink} ${laneKey({ kind, source })}`;
    if (late > 0) this.disk.offsets.set(key, Math.min(from, settlement.upTo) - late);
    settleOnDisk(this.disk, settlement);
    if (late > 0) {
      this.disk.offsets.set(key, Math.max(from, settlement.upTo));
      this.pages.passed.set(key, (this.pages.passed.get(key) ?? 0) - late);
    }
    this.#noteAttempt(`settle ${sink} ${source} ${kind}`, attempt);
    this.#auditor.onSettled(process, this.ownerOf(source), settlement, from);
    return done(1);
  }
}

const named = (of: readonly string[], names: readonly string[]): string[] =>
  of.map((kind, index) => `${kind} ${names[index] ?? ''}`);
