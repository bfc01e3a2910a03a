// The one way in which a reply becomes JSON, of an API, a token endpoint or a receiver: whatever it is written in and wrapped in.
import { parseForeignJson, TooManyValues } from '../base/foreign.ts';
import { parseMended } from '../base/mended-json.ts';
import { atOnce, type Steps } from '../base/slices.ts';
import type { HttpResponse } from './client.ts';
import { decodeReply } from './decode-reply.ts';

/** A parsed text; `marked` is there when it had to be mended: the value with every mended place marked. */
export interface ParsedJson {
  readonly value: unknown;
  readonly marked?: unknown;
}

/** JSON, mended where it has to be; undefined when it is none. Throws a TooManyValues. */
export const parseText = (text: string): ParsedJson | undefined => atOnce(textSteps(text));

/** {@link parseText} in steps; `settle` may change a text before it is parsed. */
export function* textSteps(text: string, settle: (text: string) => string = (whole) => whole): Steps<ParsedJson | undefined> {
  const parsed = tried(settle(text));
  if (parsed !== undefined) return parsed;
  yield;
  const bare = settle(withoutGuard(text));
  return (bare === text ? undefined : tried(bare)) ?? (yield* tryMended(bare));
}

function tried(text: string): ParsedJson | undefined {
  try {
    return { value: parseForeignJson(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError) || error instanceof TooManyValues) throw error;
    return undefined;
  }
}

// What keeps a page of another site from running the reply as a script, and what files and programs in C leave around a text.
const guard = /^\s*(?:\)\]\}'?,?|while\s*\((?:1|true)\);?|for\s*\(;;\);?)?\s*/;

function withoutGuard(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 0) end -= 1;
  return text.slice(guard.exec(text)?.[0].length, end);
}

function* tryMended(text: string): Steps<ParsedJson | undefined> {
  try {
    return yield* parseMended(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What a short reply says; undefined where it is no JSON, or more than anybody needs. */
export function jsonOf(response: Pick<HttpResponse, 'body' | 'headers'>): unknown {
  try {
    return parseText(decodeReply(response))?.value;
  } catch (error) {
    if (error instanceof TooManyValues) return undefined;
    throw error;
  }
}
