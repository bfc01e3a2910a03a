import type { Seams } from '../base/seams.ts';
import { anacondaApi, anacondaTenant, makeAnacondaRecord } from './anaconda.ts';
import { analystStudioApi, makeStudioRecord, studioTenant } from './analyst-studio.ts';
import { astraTenant, makeAstraRecord, type StreamedLog, startStream, writeDownload } from './astra.ts';
import type { Faults } from './faults.ts';
import type { SimulatedPulsar } from './pulsar.ts';
import { openVendorLog, type RecordMaker, type VendorLog } from './vendor-log.ts';
import { startVendorServer } from './vendor-server.ts';

export { allFaults, demoFaults, type Faults, noFaults } from './faults.ts';
export { type SimulatedPulsar, startPulsar } from './pulsar.ts';

type Template = Readonly<Record<string, unknown>>;

export interface SimulatorSettings {
  readonly seams: Seams;
  readonly faults: Faults;
  /** Records per minute and vendor. */
  readonly ratePerMinute: number;
  /** History that exists at the start, milliseconds. */
  readonly historyMs: number;
  /** First port; 0 for free ones. */
  readonly port: number;
  /** Synthetic records of each connector, from its samples. */
  readonly samples: Readonly<Record<VendorName, readonly Template[]>>;
  /** Where downloads appear; none are written without it. */
  readonly downloads?: string;
  /** Life of an access token, milliseconds; the vendor's is 900,000. */
  readonly tokenLifeMs?: number;
  /** Records per page where the vendor decides. */
  readonly pageSize?: number;
  /** Also streams Astra's log by a Pulsar topic; beside `downloads` control-plane events come twice, as they do in life. */
  readonly stream?: boolean;
}

/** Connectors whose vendors are simulated. */
export const vendorNames = ['anaconda', 'analyst-studio', 'astra-csv'] as const;
type VendorName = (typeof vendorNames)[number];

/** Simulated vendors on loopback. */
export interface Simulator extends AsyncDisposable {
  /** A configuration's `sources:` that reads every simulated vendor; credentials are the simulator's own and worth nothing. */
  readonly sources: Readonly<Record<string, unknown>>;
  /** Ids that a vendor shows at this moment, with the time of each; the oracle of a test. */
  issued(vendor: VendorName): readonly { readonly id: string; readonly occurredAt: number | null; readonly record: unknown }[];
  /** Adds a record now whose own time is `occurredAt`, as a vendor does that learns of it late; returns its id. */
  insert(vendor: VendorName, occurredAt: number): string;
  /** Writes one more download. */
  download(): Promise<string | undefined>;
  /** The simulated topic's service; undefined when nothing is streamed. */
  readonly pulsar: SimulatedPulsar | undefined;
}

function sourcesOf(
  anaconda: string,
  studio: string,
  directory: string | undefined,
  stream: StreamedLog | undefined,
): Record<string, unknown> {
  const files =
    directory === undefined
      ? {}
      : { 'astra-acme': { connector: 'astra-csv', options: { directory, org_id: astraTenant.orgId }, schedule: '2s' } };
  const { orgId: org_id, clientId: client_id, clientSecret: client_secret } = anacondaTenant;
  return {
    'anaconda-acme': {
      connector: 'anaconda',
      options: { org_id, client_id, client_secret, api_url: anaconda, token_url: `${anaconda}/api/iam/token` },
      schedule: '2s',
    },
    'studio-acme': { connector: 'analyst-studio', options: { ...studioTenant, base_url: studio }, schedule: '2s' },
    ...files,
    ...(stream === undefined ? {} : { 'astra-stream-acme': stream.source }),
  };
}

function openLogs({ seams, faults, ratePerMinute, historyMs, samples }: SimulatorSettings): Record<VendorName, VendorLog> {
  const { clock, random } = seams;
  const logOf = (vendor: VendorName, make: RecordMaker, actionField: string): VendorLog =>
    openVendorLog({ clock, random, faults, ratePerMinute, historyMs, templates: samples[vendor], make, actionField });
  return {
    anaconda: logOf('anaconda', makeAnacondaRecord, 'action_key'),
    'analyst-studio': logOf('analyst-studio', makeStudioRecord, 'action'),
    'astra-csv': logOf('astra-csv', makeAstraRecord, 'eventType'),
  };
}

// A log of its own with the rows of the downloads' kind: the vendor's topic carries what the files do, and more.
async function streamOf(settings: SimulatorSettings, portOf: (index: number) => number): Promise<StreamedLog> {
  const { seams, faults, ratePerMinute, samples } = settings;
  const { clock, random } = seams;
  const log = openVendorLog({
    clock,
    random,
    faults,
    ratePerMinute,
    historyMs: 0,
    templates: samples['astra-csv'],
    make: makeAstraRecord,
    actionField: 'eventType',
  });
  return startStream({ clock, random, log, ports: [portOf(2), portOf(3)] });
}

/** Starts every vendor; ports follow each other when the first one is given. */
export async function startSimulator(settings: SimulatorSettings): Promise<Simulator> {
  const { seams, faults } = settings;
  const { clock, random } = seams;
  const shared = { clock, random, faults };
  const logs = openLogs(settings);
  const portOf = (index: number): number => (settings.port === 0 ? 0 : settings.port + index);
  await using started = new AsyncDisposableStack();
  const tokenLifeMs = settings.tokenLifeMs ?? 900_000;
  const anaconda = started.use(
    await startVendorServer({ ...shared, port: portOf(0), answer: anacondaApi({ ...shared, log: logs.anaconda, tokenLifeMs }) }),
  );
  const studioAnswer = analystStudioApi({ ...shared, log: logs['analyst-studio'], pageSize: settings.pageSize ?? 100 });
  const studio = started.use(await startVendorServer({ ...shared, port: portOf(1), answer: studioAnswer }));
  const stream = settings.stream === true ? started.use(await streamOf(settings, portOf)) : undefined;
  const servers = started.move();

  async function download(): Promise<string | undefined> {
    if (settings.downloads === undefined) return undefined;
    return writeDownload({ clock, files: seams.files, log: logs['astra-csv'], directory: settings.downloads });
  }

  await download();
  return {
    sources: sourcesOf(anaconda.origin, studio.origin, settings.downloads, stream),
    issued: (vendor) => logs[vendor].rows().map(({ id, occurredAt, record }) => ({ id, occurredAt, record })),
    insert: (vendor, occurredAt) => logs[vendor].add(settings.samples[vendor][0] ?? {}, occurredAt).id,
    download,
    pulsar: stream?.pulsar,
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}
