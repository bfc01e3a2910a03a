import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Files } from '../base/seams.ts';
import { type SimulatedPulsar, startPulsar } from './pulsar.ts';
import type { RecordMaker, VendorLog } from './vendor-log.ts';

/** Names that the simulated organization knows. */
export const astraTenant = { orgId: 'd04d1eb2-6a52-483e-ab16-faaad3d077a9' } as const;

/** A row with the six documented columns; the vendor gives no id. */
export const makeAstraRecord: RecordMaker = (template, { occurredAt, createdAt }) => ({
  ...template,
  eventTime: new Date(occurredAt ?? createdAt).toISOString(),
});

const columns = ['typename', 'actionResult', 'userID', 'event', 'eventTime', 'eventType'] as const;
const quote = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** The text of a download as an admin gets it from the portal: a header and a row per record. */
function astraCsv(records: readonly unknown[]): string {
  const lines = records.map((record) => columns.map((column) => quote((record as Record<string, unknown>)[column])).join(','));
  return `${[columns.join(','), ...lines].join('\r\n')}\r\n`;
}

interface Downloads {
  readonly clock: Clock;
  readonly files: Files;
  readonly log: VendorLog;
  readonly directory: string;
}

/** Puts a download of everything visible into the directory, complete at once, as a browser's rename does. */
export async function writeDownload({ clock, files, log, directory }: Downloads): Promise<string> {
  await files.mkdir(directory, { recursive: true });
  const name = `astra-audit-log-${new Date(clock.now()).toISOString().replace(/[:.]/g, '')}.csv`;
  const partial = join(directory, `.${name}.part`);
  await files.writeFile(partial, astraCsv(log.rows().map((row) => row.record)));
  await files.rename(partial, join(directory, name));
  return name;
}

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
