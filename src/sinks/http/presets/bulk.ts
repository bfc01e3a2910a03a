import { isObject } from '../../../base/json.ts';
import type { Encoded } from '../../encoded.ts';
import { namesDestination, stranger, wordsOfEvents } from '../../exchange.ts';
import type { Verdict, Verdicts } from '../../sink.ts';
import { parseAnswer } from '../answer.ts';
import { isoTime, jsonObject, type Preset } from '../preset.ts';

const create = '{"create":';

const bulk: Preset = {
  needs: ['url', 'index'],
  path: '/{index}/_bulk',
  contentType: 'application/x-ndjson',
  frame: () => ({ head: '', tail: '', cut: 0 }),
  // ECS has its @timestamp already; a data stream takes no document without one.
  entry:
    ({ format, isJson }) =>
    (event) => {
      const document = format === 'ecs' ? event.body : jsonObject(event, isJson, `"@timestamp":"${isoTime(event.event.time)}"`);
      return [`${create}{"_id":${JSON.stringify(event.uid)}}}\n`, document, '\n'];
    },
  overwrite: { rewrite: (entry) => `{"index":${entry.slice(create.length)}`, refusedBy: /op_type of create/ },
  limits: { batchBytes: 15_000_000, answerBytes: 16 * 2 ** 20 },
  success: readItems,
  probe: { method: 'GET', path: '/{index}', sizePath: '/{index}/_bulk', proves: 'index "{index}"', mayBeMissing: true },
  receiverLimits: [
    {
      bytes: 32_766,
      says: 'a single text of an event is more than a keyword or flattened field takes, and makes it a dead letter',
      fix: 'install the index template for this engine (docs/sinks.md), which caps what is indexed',
    },
  ],
};

/**
 * The `_bulk` API. `create` with the event's own id makes a resent event a conflict instead of a duplicate.
 *
 * Source: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
 */
export const elasticsearch: Preset = { ...bulk, apiKey: { header: 'authorization', prefix: 'ApiKey ' } };

/** The same API; it knows no API keys. Source: https://docs.opensearch.org/latest/api-reference/document-apis/bulk/ */
export const opensearch: Preset = bulk;

function readItems(body: Buffer, size: number, _isReplay: boolean, sent?: Encoded): Verdicts {
  const answer = parseAnswer(body);
  const items = answer['items'];
  if (!Array.isArray(items) || items.length !== size || typeof answer['errors'] !== 'boolean')
    return { all: stranger(`the answer does not come from the bulk API: ${body.toString('utf8').trim() || 'it is empty'}`) };
  // What stands in an item counts, whatever the whole says; engines that only speak like it give items without a status.
  if (!answer['errors'] && !items.some(saysFailure)) return { all: { kind: 'accept' } };
  if (sent !== undefined && isInAnotherOrder(items, sent))
    return { all: stranger('the answer does not have the documents in the order in which they were sent') };
  return { each: items.map((item, index) => verdictOf(item, () => sent?.textAt(index) ?? '')) };
}

const resultOf = (item: unknown): readonly unknown[] => (isObject(item) ? (Object.entries(item)[0] ?? []) : []);

/** A failure would then be that of another event. An id that no event has tells nothing: an ingest pipeline gives documents others. */
function isInAnotherOrder(items: readonly unknown[], sent: Encoded): boolean {
  const strays = items.map(actionOf).filter((action, index) => action !== undefined && !sent.textAt(index).startsWith(action));
  if (strays.length === 0) return false;
  const actions = new Set(items.map((_, index) => sent.textAt(index).split('\n', 1)[0]));
  return strays.some((action) => actions.has(action));
}

/** The line before the document that the item is about. */
function actionOf(item: unknown): string | undefined {
  const [, result] = resultOf(item);
  const id = isObject(result) ? result['_id'] : undefined;
  return typeof id === 'string' ? `${create}{"_id":${JSON.stringify(id)}}}` : undefined;
}

/** Some write it as a text. */
function statusOf({ status }: Readonly<Record<string, unknown>>): number | undefined {
  const number = typeof status === 'string' && /^\d{3}$/.test(status) ? Number(status) : status;
  return typeof number === 'number' ? number : undefined;
}

function saysFailure(item: unknown): boolean {
  const [, result] = resultOf(item);
  return isObject(result) && ((statusOf(result) ?? 0) >= 300 || hasError(result));
}

/** Engines that only speak like it write a text. */
function errorOf({ error }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (isObject(error)) return error;
  return textOf(error) === '' ? {} : { reason: error };
}

const hasError = (result: Readonly<Record<string, unknown>>): boolean => Object.keys(errorOf(result)).length > 0;

function verdictOf(item: unknown, event: () => string): Verdict {
  const [action, result] = resultOf(item);
  const status = isObject(result) ? statusOf(result) : undefined;
  if (!isObject(result) || status === undefined) return { kind: 'uncertain', reason: 'the answer has no status for this event' };
  const error = errorOf(result);
  const type = typeof error['type'] === 'string' ? error['type'] : `http_${status}`;
  const { words, cause } = explained(error);
  const reason = `${status} ${type}: ${words}`;
  if (status >= 200 && status < 300)
    return hasError(result) ? { kind: 'uncertain', reason: `an error beside a success: ${reason}` } : { kind: 'accept' };
  // The id is there already: an earlier attempt whose answer was lost.
  if (status === 409 && action === 'create') return { kind: 'accept' };
  // A block of 429 is that of a disk which is too full for its index.
  const isBlocked = type === 'cluster_block_exception' && status < 500;
  // A shard that is busy or away refuses all that is in it, and others are taken meanwhile.
  const isOfShard = status === 429 || status === 503 || status === 409;
  if (!isBlocked && (isOfShard || status >= 500)) return { kind: 'retry', reason, ...(!isOfShard && { ofRequest: true }) };
  const isElsewhere = (): boolean =>
    namesDestination(
      `${type}: ${withoutValues(words)}`,
      wordsOfEvents(() => [event()]),
    );
  if (isBlocked || status === 401 || status === 403 || status === 404 || isElsewhere())
    return { kind: 'hold', reason, fix: placeFix, ofRequest: true };
  return { kind: 'event', code: type, reason, cause };
}

const placeFix =
  'check that the index exists and that the credentials may create documents in it; the reason may also name its alias, template, blocks or limits, or disks that are full';

interface Explained {
  readonly words: string;
  /** Without the event's own values. */
  readonly cause: string;
}

const deepestCause = 20;

/** What an error says: the innermost cause first, for the words around it carry a preview of the event. */
function explained(error: Readonly<Record<string, unknown>>): Explained {
  let inner = error;
  for (let depth = 0; depth < deepestCause && isObject(inner['caused_by']); depth += 1) inner = inner['caused_by'];
  const outerWords = textOf(error['reason']);
  const cause = `${withoutValues(outerWords)} ${textOf(inner['type'])}`;
  if (inner === error) return { words: outerWords, cause };
  return { words: `${textOf(inner['type'])}: ${textOf(inner['reason'])}; ${outerWords}`, cause };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Words of an error from which the values of the event are taken: its id, a preview, numbers. */
function withoutValues(words: string): string {
  return words
    .slice(0, 1000)
    .replace(/ in document with id\b.*| Preview of field's value\b.*/s, '')
    .replace(/'[^']*'|"[^"]*"/g, '')
    .replace(/\d+/g, '0');
}
