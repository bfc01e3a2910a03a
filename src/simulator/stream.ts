import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { astraTenant } from './astra.ts';
import { type SimulatedPulsar, startPulsar } from './pulsar.ts';
import type { VendorLog } from './vendor-log.ts';

const streamTenant = {
  topic: 'acme/default/audit-log',
  subscription: 'penstock',
  token: 'simulated-streaming-token',
} as const;

const publishEveryMs = 250;

/** A log that is published message by message. */
export interface StreamedLog extends AsyncDisposable {
  readonly pulsar: SimulatedPulsar;
  /** A source that reads it. */
  readonly source: Readonly<Record<string, unknown>>;
}

interface StreamSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: VendorLog;
  /** Of the header and the query address; 0 for free ones. */
  readonly ports: readonly [number, number];
}

/** Publishes each row of the log, once it is visible, to a topic whose subscription was made before. */
export async function startStream({ clock, random, log, ports }: StreamSettings): Promise<StreamedLog> {
  const { topic, subscription, token } = streamTenant;
  const pulsar = await startPulsar({ clock, random, ports, tokens: new Set([token]) });
  pulsar.subscribe(topic, subscription);
  let published = 0;
  let timer: Disposable;
  const publish = (): void => {
    const rows = log.rows();
    for (const row of rows.slice(published)) pulsar.publish(topic, JSON.stringify(row.record));
    published = rows.length;
    timer = clock.timer(publishEveryMs, publish);
  };
  timer = clock.timer(publishEveryMs, publish);
  return {
    pulsar,
    source: {
      connector: 'astra-stream',
      options: {
        websocket_url: pulsar.headerUrl,
        admin_url: pulsar.adminUrl,
        topic: `persistent://${topic}`,
        subscription,
        token,
        org_id: astraTenant.orgId,
      },
    },
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]();
      await pulsar[Symbol.asyncDispose]();
    },
  };
}
