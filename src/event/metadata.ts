import type { Metadata } from './attributes.ts';
import type { Envelope, PageContext } from './event.ts';
import type { WholeTable } from './whole-table.ts';

/** Makes what every event's metadata begins with. */
export type MetadataMaker = (envelope: Envelope, context: PageContext, labels: readonly string[]) => Metadata;

/** Prepares the metadata of a table; the labels of a page are put together once per page. */
export function openMetadata(spec: WholeTable): MetadataMaker {
  const version = spec.versions.ocsf;
  const product = { name: spec.product, vendor_name: spec.vendor, feature: { name: 'Audit Log' } };
  let page: PageContext | undefined;
  let ofPage: readonly string[] = [];
  const labelsOf = (envelope: Envelope, context: PageContext, own: readonly string[]): readonly string[] => {
    if (context !== page) {
      page = context;
      ofPage = [...new Set([`source:${context.source}`, ...context.labels])];
    }
    if (envelope.labels === undefined && own.length === 0) return ofPage;
    return [...new Set([...ofPage, ...(envelope.labels ?? []), ...own])];
  };
  return (envelope, context, labels) => ({
    version,
    product,
    uid: envelope.uid,
    log_name: spec.log_name,
    log_provider: spec.log_provider,
    log_format: spec.log_format,
    processed_time: context.processedTime,
    labels: labelsOf(envelope, context, labels),
  });
}
