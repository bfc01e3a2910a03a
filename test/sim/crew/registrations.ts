// The model's tables of sources and sinks: what is configured follows from what living members say of themselves, as far as the text of a
// statement says it.
import { lanesOf } from '../../journal/memory/delivery.ts';
import { countsAt, laneKey, totalsAt } from '../../journal/memory/disk.ts';
import type { Pages } from './pages.ts';
import { done, kinds, type Row, type Shared, type Statement, type Values } from './tables.ts';

class Registrations {
  readonly #shared: Shared;
  readonly #pages: Pages;

  constructor(shared: Shared, pages: Pages) {
    this.#shared = shared;
    this.#pages = pages;
  }

  readonly statements: readonly Statement[] = [
    [
      'INSERT INTO p.units (kind, name) SELECT',
      ([names]) => done((names as string[]).filter((name) => this.#shared.addUnit(name)).length),
    ],
    ['INSERT INTO p.sources (name, unit) SELECT u.name', ([names]) => this.#putSources(names as string[])],
    ['INSERT INTO p.lanes (source, kind) SELECT', () => []],
    ['INSERT INTO p.counters (source) SELECT', () => []],
    [
      'UPDATE p.sources o SET registered = e.identity',
      ([names, identities]) => this.#identify(names as string[], identities as string[]),
    ],
    ['UPDATE p.sinks SET type = $2', ([name, , whenFull]) => this.#changeSink(String(name), String(whenFull))],
    ['INSERT INTO p.sinks (name', ([name, , whenFull]) => this.#putSink(String(name), String(whenFull))],
    ['WITH starts AS', (values, text) => this.#start(values, text)],
    ['SET configured = NOT configured WHERE', (_values, text) => this.#mark(text)],
    ['SELECT id, name FROM p.sinks WHERE NOT configured', () => this.#orphanSinks()],
    ['SELECT name FROM p.sources WHERE NOT configured', () => this.#orphanSources()],
    ['SELECT coalesce(sum(l.appended - coalesce(o.position, 0)), 0) AS n', ([sink]) => [{ n: this.#pending(sink) }]],
    ['ANALYZE (SKIP_LOCKED)', () => []],
  ];

  #putSources(names: readonly string[]): Row[] {
    const { disk } = this.#shared;
    const missing = names.filter((name) => !disk.sources.has(name));
    for (const name of missing) {
      disk.sources.set(name, { identity: undefined, registered: undefined, configured: false });
      countsAt(disk, name);
    }
    return done(missing.length);
  }

  #identify(names: readonly string[], identities: readonly string[]): Row[] {
    return names.flatMap((name, index) => {
      const source = this.#shared.disk.sources.get(name);
      if (source === undefined) return [];
      source.registered = identities[index];
      source.identity ??= source.registered;
      return [{ name, is: source.registered, was: source.identity }];
    });
  }

  #changeSink(name: string, whenFull: string): Row[] {
    if (!this.#shared.disk.sinks.has(name)) return [];
    this.#pages.whenFull.set(name, whenFull);
    return done(1);
  }

  #putSink(name: string, whenFull: string): Row[] {
    this.#shared.disk.sinks.set(name, { configured: false });
    this.#pages.whenFull.set(name, whenFull);
    return [{ id: this.#shared.sinkId(name) }];
  }

  /** Offsets of a new sink: behind everything, or where the pages begin that are there without a hole, and were not older than a time. */
  #start([id, since = Number.NEGATIVE_INFINITY]: Values, text: string): Row[] {
    const { disk } = this.#shared;
    const sink = this.#shared.sinkOf(id);
    const passed: Record<string, number> = {};
    disk.sinks.set(sink, { configured: false, start: { at: disk.now(), passed } });
    for (const { source } of this.#shared.sources())
      for (const kind of kinds) {
        const appended = disk.lanes.get(laneKey({ kind, source }))?.length ?? 0;
        const run = text.includes('coalesce(NULL - 1') ? [] : this.#pages.runOf(source, kind);
        const first = run.find(({ maxTime }) => maxTime >= Number(since))?.first;
        const at = first === undefined ? appended : first - 1;
        disk.offsets.set(`${sink} ${laneKey({ kind, source })}`, at);
        totalsAt(disk, sink, source).not_routed += at;
        if (at > 0) passed[source] = (passed[source] ?? 0) + at;
      }
    return done(1);
  }

  #mark(text: string): Row[] {
    const kind = text.startsWith('UPDATE p.sources') ? 'source' : 'sink';
    const known = kind === 'source' ? this.#shared.disk.sources : this.#shared.disk.sinks;
    const changed = [...known].filter(([name, { configured }]) => configured !== this.#shared.isNamed(kind, name, text));
    for (const [, one] of changed) one.configured = !one.configured;
    return done(changed.length);
  }

  #orphanSinks(): Row[] {
    const { sinks } = this.#shared.disk;
    const names = [...sinks].flatMap(([name, { configured }]) => (configured ? [] : [name])).sort();
    return names.map((name) => ({ id: this.#shared.sinkId(name), name }));
  }

  #orphanSources(): Row[] {
    const { sources } = this.#shared.disk;
    const names = [...sources].flatMap(([name, { configured }]) => (configured ? [] : [name])).sort();
    return names.map((name) => ({ name }));
  }

  #pending(sink: unknown): number {
    const lanes = lanesOf(this.#shared.disk, this.#shared.sinkOf(sink));
    return lanes.reduce((sum, { lane, pending }) => sum + (lane.kind === 'replay' ? 0 : pending), 0);
  }
}

export const registrationStatements = (shared: Shared, pages: Pages): readonly Statement[] =>
  new Registrations(shared, pages).statements;
