import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import type { ConnectorPlaces, loadConnector } from '../connectors/index.ts';
import type { SinkType } from '../sinks/sink.ts';
import type { ObjectSchema } from './block-schemas.ts';
import type { ConnectionConfig } from './config.ts';
import type { FileOptions } from './file-options.ts';
import type { ValueSources } from './interpolate.ts';
import type { BlockSchema } from './read-block.ts';

/** Finds and compiles a connector, with what one source adds to its action table. */
export type LoadConnector = typeof loadConnector;

/** What reading one file needs; faults and warnings gather here so that all are reported at once. */
export interface LoadContext {
  readonly doc: YamlText;
  readonly from: ValueSources;
  /** Where connectors are looked up. */
  readonly places: ConnectorPlaces;
  readonly loadConnector: LoadConnector;
  readonly sinkTypes: Readonly<Record<string, SinkType>>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly faults: Fault[];
  readonly warnings: Fault[];
  /** Compiles the schema of each owner, a kind of sink or a connector, once. */
  schemaOf(owner: object, make: () => ObjectSchema): BlockSchema;
  /** `proxy` and `tls` at the top of the file. */
  readonly top: ConnectionConfig;
  /** The same, read again. */
  readTop(): Promise<ConnectionConfig>;
  /** `journal`, read again. */
  readJournal(): Promise<FileOptions['journal']>;
}

/** A block of the file under `sources` or `sinks`. */
export interface NamedBlock {
  readonly name: string;
  readonly at: YamlPath;
  /** As written, before interpolation. */
  readonly raw: unknown;
}
