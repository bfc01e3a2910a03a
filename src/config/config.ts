import type { Secrets } from '../base/secrets.ts';
import type { Fault } from '../base/yaml-faults.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import type { TlsOptions } from '../sinks/common-options.ts';
import type { SinkType } from '../sinks/sink.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import type { FilesRead } from './files-read.ts';

/** Options of a source or sink, checked, defaults filled in, paths absolute. May hold secrets: never print them. */
export type Options = Readonly<Record<string, unknown>>;

/** A loaded configuration: durations in milliseconds, sizes in bytes, paths absolute. */
export interface Config {
  /** The file as it was named. */
  readonly file: string;
  readonly data_dir: string;
  readonly log: { readonly level: LogLevel };
  readonly admin: {
    /** undefined: not over TCP. */
    readonly listen: { readonly host: string; readonly port: number } | undefined;
    readonly metrics: 'open' | 'token';
    readonly tls?: { readonly cert_file: string; readonly key_file: string };
  };
  readonly journal: {
    readonly maxBytes: number;
    readonly keepMs: number;
    /** undefined: a file in data_dir. */
    readonly database: DatabaseConfig | undefined;
  };
  /** This process among those that share the journal. */
  readonly replica: { readonly name: string; readonly labels: readonly string[] };
  readonly shutdownTimeoutMs: number;
  /** The daemon looks at the files again and again, and applies what has changed. */
  readonly watch: boolean;
  readonly sources: readonly SourceConfig[];
  readonly sinks: readonly SinkConfig[];
  /** Knows every secret of the configuration, also those that are read again later. */
  readonly secrets: Secrets;
  /** What is permitted but deserves a line in the log. */
  readonly warnings: readonly Fault[];
  /** The file, and the files of its connectors, as they were read. */
  readonly files: FilesRead;
}

/** A database that replicas share. */
export interface DatabaseConfig {
  /** Without a password. */
  readonly url: string;
  /** Read anew at each call. */
  readonly password: (() => Promise<string>) | undefined;
  /** Authorities of the server's certificate, PEM, read anew at each call; those of the system when undefined. */
  readonly ca: (() => Promise<string>) | undefined;
  /** Where they are read. */
  readonly caFile: string | undefined;
  readonly schema: string;
  readonly leaseMs: number;
  readonly connections: number;
}

type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** How a source or sink reaches the network; its own settings, else those at the top of the file. */
export interface ConnectionConfig {
  readonly tls?: TlsOptions;
  /** May carry credentials. */
  readonly proxy?: string;
}

/** What a source or sink is opened with. */
interface Resolved {
  /** Equal in two of them where nothing has changed that the block depends on: its text, its values, its connection with what stands in the files of that. */
  readonly key: string;
  readonly options: Options;
  readonly http: ConnectionConfig;
}

/** What can change while the daemon runs; as it was when the file was loaded. The key of a source stands for its connector, too. */
export interface Refreshable extends Resolved {
  /** Reads `${env:}`, `${file:}` and the files of `tls` again and checks the values; throws PEN_CONFIG_INVALID with every fault. */
  resolve(): Promise<Resolved>;
}

/** A configured source: how it is read, and how it is opened. */
export interface SourceConfig extends SourceSettings, Refreshable {
  readonly enabled: boolean;
  /** Whether its events are checked by OCSF. */
  readonly validate: 'warn' | 'off';
  readonly rateLimit: { readonly count: number; readonly perMs: number } | undefined;
}

/** A configured sink: how it is delivered to, and how it is opened. */
export interface SinkConfig extends SinkSettings, Refreshable {
  readonly enabled: boolean;
  readonly sinkType: SinkType;
  /** Where a new sink begins; a number is milliseconds since the epoch. */
  readonly start: 'now' | 'oldest' | number;
  readonly whenFull: 'wait' | 'skip';
}
