// Everything of a run that outlives a process: vendors, receivers, time, and who watches them.
import { resolve } from 'node:path';
import { systemSeams } from '../../src/base/seams.ts';
import type { Connector } from '../../src/connectors/connector.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import { type Dice, diceAt } from './dice.ts';
import { connectorOf, type Entry, entryOf } from './feed.ts';
import { type Receiver, receiver } from './receivers.ts';
import type { Feed } from './runtime.ts';
import type { Endpoint, FaultPlan, Scenario, SourceKind } from './scenario.ts';
import { type SimTime, simTime } from './time.ts';
import { broker, folder, httpVendor } from './vendors.ts';
import { openWitness, type Witness } from './witness.ts';

/** What became of a history. */
export interface Outcome {
  readonly scenario: Scenario;
  /** Broken promises, in words; empty when all were kept. */
  readonly problems: readonly string[];
  readonly virtualMs: number;
  /** CPU time that it took, user and system, milliseconds. */
  readonly cpuMs: number;
  readonly lives: number;
  readonly records: number;
  readonly arrivals: number;
  /** Tells two runs of one seed apart. */
  readonly fingerprint: string;
}

export interface PlayOptions {
  /** Told every line of the log. */
  readonly onLog?: (line: string) => void;
  /** How long what is missing may still come once all is calm, virtual milliseconds; default two days. */
  readonly calmMs?: number;
}

/** 2026-11-21T06:00:00Z: no run begins at midnight by chance, and long ones cross it. */
export const startMs = Date.UTC(2026, 10, 21, 6);

const options: Readonly<Record<SourceKind, Readonly<Record<string, unknown>>>> = {
  offset: {
    org_id: 'acme',
    client_id: 'id',
    client_secret: 'client-secret',
    api_url: 'https://offset.test',
    token_url: 'https://offset.test/token',
  },
  page: { org_id: '5f0c1d2e3a4b5c6d7e8f9a0b', client_id: 'id', client_secret: 'client-secret', api_url: 'https://page.test' },
  token: { workspace: 'acme', token: 'token', secret: 'workspace-secret', base_url: 'https://token.test' },
  link: { org_url: 'https://link.test', token: 'link-secret' },
  stream: {
    websocket_url: 'wss://stream.test',
    topic: ['persistent://acme/default/audit'],
    subscription: 'penstock',
    token: 'stream-secret',
    org_id: 'acme',
  },
  files: { directory: '/nowhere', org_id: 'acme' },
};

const connectors = new Map<SourceKind, Promise<Connector>>();

function loaded(kind: SourceKind): Promise<Connector> {
  const known =
    connectors.get(kind) ??
    loadConnector(connectorOf[kind], { dirs: [resolve(import.meta.dirname, '../../connectors')], files: systemSeams().files });
  connectors.set(kind, known);
  return known;
}

/** Everything of a run that outlives a process. */
export interface World {
  readonly scenario: Scenario;
  readonly time: SimTime;
  readonly feeds: readonly Feed[];
  readonly receivers: readonly Receiver[];
  readonly witness: Witness;
}

/** Makes the world of a history; what is watched may be looked at by another besides. */
export async function build(scenario: Scenario, watched: (witness: Witness) => Witness = (own) => own): Promise<World> {
  const time = simTime(startMs);
  const diceFor = (who: string): Dice => diceAt(scenario.seed, who, () => time.elapsed);
  const byOn = new Map<string, FaultPlan[]>();
  for (const fault of scenario.faults) byOn.set(fault.on, [...(byOn.get(fault.on) ?? []), fault]);
  const calmMs = (on: string): number =>
    (byOn.get(on) ?? []).reduce(
      (least, { from, to }) => (to <= time.elapsed ? least : Math.min(least, Math.max(0, from - time.elapsed))),
      Number.POSITIVE_INFINITY,
    );
  const striker = (on: string): ((kind: string, endpoint?: Endpoint) => boolean) => {
    const faults = (byOn.get(on) ?? []).map((fault) => ({ ...fault, dice: diceFor(`${on} ${fault.kind} ${fault.from}`) }));
    return (kind, endpoint) =>
      faults.some(
        (f) =>
          f.kind === kind &&
          (f.endpoint === undefined || f.endpoint === endpoint) &&
          f.from <= time.elapsed &&
          time.elapsed < f.to &&
          f.dice.chance(f.share),
      );
  };
  const sources = await Promise.all(
    scenario.sources.map(async (plan) => {
      const connector = await loaded(plan.kind);
      const tenant = connector.tenant(options[plan.kind]);
      const entries: Entry[] = scenario.events
        .filter((e) => e.source === plan.name)
        .map((e) => entryOf(plan.kind, connector, tenant, e, startMs));
      return { plan, connector, tenant, entries, name: plan.name };
    }),
  );
  const witness = watched(openWitness(sources, () => time.now()));
  const feeds = sources.map(({ plan, connector, tenant, entries }): Feed => {
    const onForgotten = (forgotten: readonly Entry[]): void => witness.onForgotten(plan.name, forgotten);
    const dice = diceFor(plan.name);
    const parts = {
      plan,
      connector,
      tenant,
      time,
      dice,
      strikes: striker(plan.name),
      calmMs: () => calmMs(plan.name),
      entries,
      onForgotten,
    };
    const vendor = plan.kind === 'stream' ? broker(parts) : plan.kind === 'files' ? folder(parts) : httpVendor(parts);
    return { plan, connector, options: options[plan.kind], vendor };
  });
  const receivers = scenario.sinks.map((plan) => {
    const bad = new Set(
      sources.flatMap(({ entries }) =>
        entries
          .filter((e) => e.plan.refusedBy?.includes(plan.name) === true)
          .flatMap(({ facts }) => [facts.uid, facts.conflictUid]),
      ),
    );
    return receiver({
      plan,
      time,
      dice: diceFor(plan.name),
      strikes: striker(plan.name),
      refuses: (uid) => bad.has(uid),
      onArrival: (copy, encoded) => witness.onArrival(plan.name, copy, encoded),
      problem: (text) => witness.problem(`sink ${plan.name}: ${text}`),
      onChanged: (batch) => witness.problem(`sink ${plan.name}: batch ${batch} came again with other bytes`),
    });
  });
  return { scenario, time, feeds, receivers, witness };
}
