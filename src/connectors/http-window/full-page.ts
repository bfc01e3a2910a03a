// What a number of records says: whether a vendor may have more of them than it shows.
import { compileHas, compilePath } from '../../event/index.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { answerOf } from './reply.ts';

/** True for so many records as vendors cut at, whatever was asked for. */
export function isRound(count: number): boolean {
  return count >= 50 ? count % 50 === 0 || (count & (count - 1)) === 0 : [10, 20, 25, 30, 40].includes(count);
}

interface FirstAnswer {
  readonly headers: Readonly<Record<string, string>>;
  /** Records in it. */
  readonly count: number;
  /** Records asked for. */
  readonly limit: number;
}

/**
 * Compiles what a first answer is that names no next page: true where it is as full as a page can be, and lacks the very member or header that
 * would name one or say that there is none. A misspelt path looks like this, and so does a vendor that leaves the member out of a last page.
 */
export function compileUnpaged({
  page,
  request,
}: Pick<HttpWindowSpec, 'page' | 'request'>): (reply: unknown, answer: FirstAnswer) => boolean {
  if (page.kind === 'none' || page.kind === 'offset' || page.kind === 'page_number' || page.whole === true) return () => false;
  const more = page.more === undefined ? undefined : compilePath(page.more);
  const header = page.kind === 'link_header' ? (page.header ?? 'link') : page.header;
  const has = compileHas((page.kind === 'link' ? page.link : page.token) ?? []);
  const isAsked = /\{\{\s*page\.limit\s*\}\}/.test(JSON.stringify(request));
  // Where the vendor does not hear how many are wanted, it sends as many as it likes.
  const isFull = (count: number, limit: number): boolean =>
    (isAsked && count >= limit) || (isRound(count) && (count >= 50 || !isAsked));
  return (reply, { headers, count, limit }) =>
    isFull(count, limit) &&
    (more === undefined || answerOf(more(reply)) === undefined) &&
    (header === undefined ? !has(reply) : headers[header.toLowerCase()] === undefined);
}
