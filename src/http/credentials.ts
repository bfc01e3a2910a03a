// Every credential goes through here before it leaves: tokens that were minted, Basic in base64, keys in URLs and forms. What a peer echoes of
// them is known from then on.
import type { Secrets } from '../base/secrets.ts';
import type { HttpRequest } from './client.ts';

const telling =
  /authorization|cookie|token|secret|password|signature|session|assertion|credential|auth$|api-?_?key|-key$|^code$|^sig$/i;
/** Among them what says of a credential which kind it is or how long it lives, and places in a list, which vendors call tokens too. */
const harmless =
  /^(?:idempotency-key|sec-websocket-key)$|(?:type|kind|hint|format|version|count|length|lifetime|expir\w*)$|(?:page|paging|pagination|next|prev(?:ious)?|skip|start(?:ing)?|contin\w*|resum\w*|sync|delta|cursor|scroll|offset|position).{0,12}token$/i;
/** Text of any record: a number, a date, a word that says yes or no. */
const ordinary =
  /^(?:[+-]?\d{1,19}(?:\.\d*)?|\d{4}-\d\d-\d\d(?:[T ][\d:.,+Zz-]*)?|true|false|yes|no|on|off|none|null|undefined|all|any)$/i;
/** The proof by itself: `Signature=...` of AWS, `response="..."`, `v1,...` of a webhook. */
const partOfProof = /(?:\b(?:signature|response|sig|mac)="?|\bv\d\w?,)([\w+/-]{16,}={0,2})/gi;
const longestForm = 65_536;

type Learns = Pick<Secrets, 'addPassing'>;

const isCredential = (name: string): boolean => telling.test(name) && !harmless.test(name);

function learn(value: string, secrets: Learns): void {
  secrets.addPassing(value);
  for (const [, part = ''] of value.matchAll(partOfProof)) secrets.addPassing(part);
  const [, scheme, proof] = /^([\w-]+) +(\S.*)$/.exec(value) ?? [];
  if (proof === undefined) return;
  secrets.addPassing(proof);
  if (scheme?.toLowerCase() !== 'basic') return;
  const pair = Buffer.from(proof, 'base64').toString('utf8');
  const password = pair.slice(pair.indexOf(':') + 1);
  // Some APIs take a key as the user's name and no password.
  secrets.addPassing(password === '' ? pair.slice(0, -1) : password);
}

function learnPairs(pairs: URLSearchParams, secrets: Learns, place?: string): void {
  for (const [name, value] of pairs) if (isCredential(name) && !ordinary.test(value) && value !== place) learn(value, secrets);
}

/** Tells `secrets` what the operator gave us for a proxy, in its header; it may come from the environment. */
export function learnProxy(authorization: string, secrets: Pick<Secrets, 'add'>): void {
  learn(authorization, { addPassing: (value) => secrets.add(value) });
}

/** Tells `secrets` what proves who we are in a request: in headers, in the query, in a form. */
export function learnCredentials(
  { url, headers = {}, body, proofs = [], place }: Pick<HttpRequest, 'url' | 'headers' | 'body' | 'proofs' | 'place'>,
  secrets: Learns,
): void {
  for (const proof of proofs) secrets.addPassing(proof);
  for (const [name, value] of Object.entries(headers)) if (isCredential(name)) learn(value, secrets);
  if (url.search !== '') learnPairs(url.searchParams, secrets, place);
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (typeof body === 'string' && body.length <= longestForm && type.startsWith('application/x-www-form-urlencoded'))
    learnPairs(new URLSearchParams(body), secrets, place);
}
