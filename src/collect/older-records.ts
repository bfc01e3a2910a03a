// How older records of a source come: another way for each kind of connector.
import { PenstockError } from '../base/errors.ts';
import type { Connector } from '../connectors/connector.ts';

/** What of a connector says it. */
type Reads = Pick<Connector, 'kind' | 'readsByTime'>;

const byRange = (source: string): string => `collect an older range instead: penstock backfill ${source} --from --to`;

const otherWays: Readonly<Record<Connector['kind'], (source: string) => string>> = {
  http_window: byRange,
  csv_directory: (source) => `import the files: penstock import ${source} FILE...`,
  http_cursor: (source) => `read the log again, known records are left out: penstock sources reset ${source} --from TIME`,
  pulsar_websocket: () => 'replay what is stored: penstock replay SINK --from --to',
};

/** That a source cannot be asked for a range, and what it offers instead. */
export const refusedRange = ({ kind }: Reads, source: string): PenstockError =>
  new PenstockError('PEN_OPERATION_FAILED', `its records cannot be asked for by time (${kind})`, {
    where: `source ${source}`,
    fix: otherWays[kind](source),
  });

/** That a source reads no files, and what it offers instead. */
export const refusedFiles = ({ kind, readsByTime }: Reads, source: string): PenstockError =>
  new PenstockError('PEN_OPERATION_FAILED', 'it does not read files', {
    where: `source ${source}`,
    fix: readsByTime === true ? byRange(source) : otherWays[kind](source),
  });
