import { isObject } from '../../base/json.ts';
import type { HttpResponse } from '../../http/client.ts';
import { isPage } from '../destination.ts';
import { describeAnswer } from '../exchange.ts';

/** An answer as HEC gives it, or as something in front of HEC does. */
export interface HecAnswer {
  readonly status: number;
  /** Only when the body is JSON with one of HEC's own numbers; 404 and 405 carry an HTTP status there. */
  readonly code: number | undefined;
  /** `invalid-event-number` as sent; see `codes.ts` for what it counts from. */
  readonly eventNumber: number | undefined;
  readonly ackId: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** A page for people, of something in front of HEC. */
  readonly isPage: boolean;
  /** For people: `answered 403 "Invalid token" (code 4)`. */
  readonly said: string;
}

/** HEC's own codes end at 27; room is left for newer ones, but not as far as HTTP statuses. */
const highestCode = 99;

/** Reads an answer; never throws, whatever stands in it. */
export function readAnswer(response: HttpResponse, retryAfterMs: number | undefined): HecAnswer {
  const fields = fieldsOf(response.body);
  const code = naturalNumber(fields['code']);
  const isHec = code !== undefined && code <= highestCode;
  const text = typeof fields['text'] === 'string' ? fields['text'].slice(0, 200) : '';
  return {
    status: response.status,
    code: isHec ? code : undefined,
    eventNumber: isHec ? wholeNumber(fields['invalid-event-number']) : undefined,
    ackId: isHec ? naturalNumber(fields['ackId']) : undefined,
    retryAfterMs,
    isPage: isPage(response),
    said: isHec ? `answered ${response.status} "${text}" (code ${code})` : describeAnswer(response),
  };
}

/** The ids that a poll's answer calls indexed; undefined when it is no such answer. */
export function readAcks(body: Buffer): ReadonlySet<number> | undefined {
  const acks = fieldsOf(body)['acks'];
  if (!isObject(acks)) return undefined;
  return new Set(Object.keys(acks).flatMap((id) => (acks[id] === true ? [Number(id)] : [])));
}

function fieldsOf(body: Buffer): Record<string, unknown> {
  const text = body.toString('utf8').trim();
  if (!text.startsWith('{')) return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function naturalNumber(value: unknown): number | undefined {
  const number = wholeNumber(value);
  return number === undefined || number < 0 ? undefined : number;
}
