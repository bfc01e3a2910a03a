import { refusedFiles, refusedRange } from '../../collect/index.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';

/** Throws PEN_OPERATION_FAILED, with what can be done instead, where a job of this kind cannot be done for a source. */
export function requireFit(job: string, { name, connector }: Pick<SourceSettings, 'name' | 'connector'>): void {
  if (job === 'import' && connector.kind !== 'csv_directory') throw refusedFiles(connector, name);
  if ((job === 'backfill' || job === 'verify') && connector.readsByTime !== true) throw refusedRange(connector, name);
}
