import type { Secrets } from '../base/secrets.ts';
import type { Fault } from '../base/yaml-faults.ts';
import type { Connector } from '../connectors/connector.ts';
import type { TlsOptions } from '../sinks/common-options.ts';
import type { SinkType } from '../sinks/sink.ts';

/** Options of a source or sink, checked, defaults filled in, paths absolute. May hold secrets: never print them. */
export type Options = Readonly<Record<string, unknown>>;

/** A loaded configuration: durations in milliseconds, sizes in bytes, paths absolute. */
export interface Config {
  /** The file as it was named, and its folder (absolute). */
  readonly file: string;
  readonly dir: string;
  readonly data_dir: string;
  readonly log: { readonly level: LogLevel };
  readonly admin: {
    readonly host: string;
    readonly port: number;
    readonly tls?: { readonly cert_file: string; readonly key_file: string };
  };
  readonly journal: { readonly maxBytes: number; readonly keepMs: number };
  readonly connectors_dir: string | undefined;
  /** Folders in which connectors are looked up, in this order. */
  readonly connectorDirs: readonly string[];
  readonly shutdownTimeoutMs: number;
  readonly sources: readonly SourceConfig[];
  readonly sinks: readonly SinkConfig[];
  /** Knows every secret of the configuration, also those that are read again later. */
  readonly secrets: Secrets;
  /** What is permitted but deserves a line in the log. */
  readonly warnings: readonly Fault[];
}

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** How a source or sink reaches the network; its own settings, else those at the top of the file. */
export interface ConnectionConfig {
  readonly tls?: TlsOptions;
  /** May carry credentials. */
  readonly proxy?: string;
  readonly allowPlaintext: boolean;
}

/** What can change while the daemon runs. */
export interface Refreshable {
  /** As they were when the file was loaded. */
  readonly options: Options;
  readonly http: ConnectionConfig;
  /** Reads `${env:}` and `${file:}` again and checks the result; throws PEN_CONFIG_INVALID with every fault. */
  resolveOptions(): Promise<Options>;
  /** The same for `tls` and `proxy`. */
  resolveHttp(): Promise<ConnectionConfig>;
}

/** A configured source; see `SourceSettings` in `collect` for the meaning of its fields. */
export interface SourceConfig extends Refreshable {
  readonly name: string;
  readonly enabled: boolean;
  /** Compiled, with the source's own action rows applied. */
  readonly connector: Connector;
  readonly tenant: string | undefined;
  readonly identity: Readonly<Record<string, string>>;
  readonly schedule: { readonly everyMs: number } | { readonly cron: string; readonly timezone: string };
  readonly start: { readonly backMs: number } | { readonly at: number } | 'now';
  readonly rateLimit: { readonly count: number; readonly perMs: number } | undefined;
  /** The connector's windows with the source's overrides. */
  readonly window: { readonly overlapMs: number; readonly settleMs: number; readonly maxMs: number; readonly minMs: number };
  /** Normalised action keys. */
  readonly filter: { readonly exclude_actions?: readonly string[]; readonly only_actions?: readonly string[] };
  readonly selfEvents: 'exclude' | 'forward';
  readonly retentionMs: number | undefined;
  readonly expectEventsWithinMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly credentialExpires: number | undefined;
  readonly sweep: { readonly everyMs: number; readonly backMs: number } | undefined;
  readonly labels: readonly string[];
}

/** A configured sink; a superset of `DeliverySettings` in `deliver`. */
export interface SinkConfig extends Refreshable {
  readonly name: string;
  readonly enabled: boolean;
  /** Name of the kind, `splunk_hec`. */
  readonly type: string;
  readonly sinkType: SinkType;
  readonly format: 'ocsf' | 'cim' | 'ecs' | 'cef' | 'leef' | 'raw';
  readonly includeRaw: boolean;
  readonly sources: readonly string[] | undefined;
  readonly filter: {
    /** Normalised action keys. */
    readonly exclude_actions?: readonly string[];
    readonly only_actions?: readonly string[];
    /** OCSF severity_id, inclusive. */
    readonly min_severity?: number;
  };
  /** Where a new sink begins; a number is milliseconds since the epoch. */
  readonly start: 'now' | 'oldest' | number;
  readonly batch: { readonly events: number; readonly bytes: number; readonly waitMs: number };
  readonly inFlight: number;
  readonly timeoutMs: number;
  readonly backoffMaxMs: number;
  readonly holdProbeMs: number;
  readonly maxDeadLetters: number;
  readonly whenFull: 'wait' | 'skip';
  readonly labels: readonly string[];
}
