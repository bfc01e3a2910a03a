// What the records and the emptiness of a checked source say of its connector.

import { PenstockError } from '../base/errors.ts';
import { dayMs } from '../base/quantity.ts';
import { sharedIds } from '../collect/index.ts';
import type { SourceConfig } from '../config/config.ts';
import type { Page, RecordFacts, WindowReader } from '../connectors/connector.ts';
import { epochFormats } from '../connectors/index.ts';
import type { EpochFormat } from '../connectors/request-section.ts';

/** Facts of a page's records. */
export const factsOf = (page: Page, { connector, tenant }: SourceConfig): readonly RecordFacts[] =>
  [...page.records].map((record) => connector.records.examine(record, tenant));

/** What is wrong with how records are read, one line each; empty where nothing is. */
export function oddRecords(facts: readonly RecordFacts[], { connector }: SourceConfig, now: number): readonly string[] {
  const isUnnamed = connector.records.areNamedByContent === true ? () => false : hasNoId;
  const counts: readonly (readonly [number, string])[] = [
    [sharedIds(facts), 'have the id of another one that is not the same: take a path for record.id that names one record'],
    [facts.filter(isUnnamed).length, 'have nothing at record.id and are named by their content: see that it leads to their id'],
    [
      facts.filter(({ hasUnreadableTime }) => hasUnreadableTime === true).length,
      'have a time that cannot be read, or lies before 2000: see that record.time leads to it, and its unit',
    ],
    [facts.filter(hasNoTime).length, 'have no time: see that record.time leads to it'],
    [
      facts.filter(({ time }) => time !== undefined && time > now + dayMs).length,
      'have a time more than a day ahead of this machine: see that record.time leads to when it happened, and its unit',
    ],
    [facts.filter(({ actionKey }) => actionKey === undefined).length, 'have no action: see that record.action leads to it'],
  ];
  return counts.filter(([count]) => count > 0).map(([count, what]) => `${count} of ${facts.length} records ${what}`);
}

const hasNoId = ({ isNamedByContent, unreadable }: RecordFacts): boolean => isNamedByContent === true && unreadable === undefined;
const hasNoTime = ({ time, hasUnreadableTime }: RecordFacts): boolean => time === undefined && hasUnreadableTime !== true;

/**
 * The unit of bounds in which a vendor that showed nothing has records of the time that was asked for; undefined where it has none, or where the
 * bounds are no numbers. They are written in another unit by asking for a time that many times as far from 1970.
 */
export async function otherUnit(
  reader: WindowReader,
  source: SourceConfig,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<EpochFormat | undefined> {
  const { epoch } = source.connector.defaults;
  if (epoch === undefined) return undefined;
  for (const other of epochFormats) {
    if (other === epoch) continue;
    const scale = 1000 ** (epochFormats.indexOf(other) - epochFormats.indexOf(epoch));
    const page = await ask(reader, { from: from * scale, to: to * scale, state: null, limit: 1 }, signal);
    if (page !== undefined && factsOf(page, source).some(({ time }) => time !== undefined && time >= from && time <= to))
      return other;
  }
  return undefined;
}

/** Undefined where the vendor does not take such times, which is an answer. */
async function ask(
  reader: WindowReader,
  request: Parameters<WindowReader['page']>[0],
  signal: AbortSignal,
): Promise<Page | undefined> {
  try {
    return await reader.page(request, signal);
  } catch (error) {
    if (error instanceof PenstockError) return undefined;
    throw error;
  }
}
