// A simulated Pulsar service with two topics, and a daemon's configuration that reads them.
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type SimulatedPulsar, startPulsar } from '../../src/simulator/index.ts';
import { configFile } from './penstock.ts';
import type { Receiver } from './receiver.ts';

export const [audit, data] = ['acme/default/audit-log', 'acme/default/data-plane'] as const;

/** Starts the service, with a subscription on each topic, and with the tokens that it takes. */
export async function startService(
  seed = 1,
  ports: readonly [number, number] = [0, 0],
): Promise<{ pulsar: SimulatedPulsar; tokens: Set<string> }> {
  const tokens = new Set(['first-token']);
  const { clock } = systemSeams();
  const pulsar = await startPulsar({ clock, random: seededRandom(seed), ports, tokens });
  for (const topic of [audit, data]) pulsar.subscribe(topic, 'penstock');
  return { pulsar, tokens };
}

interface Wanted {
  readonly token?: string;
  readonly topics?: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly journal?: Readonly<Record<string, unknown>>;
}

/** A configuration that reads the topics into one receiver. */
export function configFor(
  pulsar: SimulatedPulsar,
  receiver: Receiver,
  { token, topics, options, journal }: Wanted = {},
): Promise<string> {
  return configFile({
    ...(journal === undefined ? {} : { journal }),
    sources: {
      'astra-acme': {
        connector: 'astra-stream',
        options: {
          websocket_url: pulsar.headerUrl,
          topic: (topics ?? [audit]).map((name) => `persistent://${name}`),
          token: token ?? 'first-token',
          org_id: 'org',
          ...options,
        },
      },
    },
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 100, wait: '50ms' }, backoff_max: '500ms' } },
  });
}

/** A message as the vendor sends it. */
export const record = (user: string): string =>
  JSON.stringify({
    typename: 'AuditEvent',
    actionResult: 'SUCCESS',
    eventType: 'CREATE_ROLE',
    userID: user,
    event: '{}',
    eventTime: '2026-11-20T10:15:30.123Z',
  });

const userOf = ({ event }: Receiver['received'][number]): string =>
  String(((event['actor'] as Record<string, unknown> | undefined)?.['user'] as Record<string, unknown> | undefined)?.['uid']);
export const usersIn = (receiver: Receiver): string[] => receiver.received.map(userOf);
