import type { HttpResponse } from '../http/client.ts';
import type { Verdict } from './sink.ts';

const place =
  '(?:index(?:es)?|indices|alias|data ?streams?|table|stream|bucket|topic|dataset|collection|workspace|namespace|log ?type)';
const fault =
  '(?:not found|not exist|does not|doesn.?t|no such|unknown|missing|not configured|not defined|not authori[sz]ed|not allowed|denied|closed|disabled|read.?only|invalid|incorrect)';
const destination = new RegExp(
  `\\b(?:no such|unknown|missing|invalid|incorrect|no write|nonexistent) ${place}\\b|\\b${place}\\b[^.;{}]{0,80}\\b${fault}\\b|op type of create`,
  'i',
);
// What such words are about is one event.
const content = /\b(fields?|propert(?:y|ies)|columns?|mapp(?:ing|er)|pars(?:e|ing)|document|values?|tim(?:e|estamp))\b/i;

/**
 * True when a refusal speaks of the place where all events of a sink go: an index, a table, a stream, a bucket that is not there or not open
 * to us. `NoSuchBucket`, `index_not_found_exception` and `The stream Custom-A does not exist` all count.
 */
export function namesDestination(refusal: string): boolean {
  const words = refusal
    .slice(0, 1000)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ');
  return destination.test(words) && !content.test(words);
}

/** True for a page for people: a login form, a proxy's own error, a firewall's notice. */
export function isPage({ body }: HttpResponse): boolean {
  return /^\s*(?:<!doctype html|<html)/i.test(
    body
      .subarray(0, 200)
      .toString('latin1')
      .replace(/^\u00ef\u00bb\u00bf/, ''),
  );
}

/** The hold of a sink that got such a page; `isTaken`: its status said that the batch was taken. */
export function pageHold(said: string, isTaken: boolean): Verdict {
  return {
    kind: 'hold',
    reason: `an HTML page came in place of the receiver's answer: ${said}`,
    fix: 'something before the receiver answers (a proxy, a login page, a firewall): check the address of the sink, and let its requests through',
    ...(isTaken ? { maybeStored: true } : {}),
  };
}
